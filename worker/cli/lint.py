"""`vigencia lint`: everything that can be wrong with texts and rules, before anybody reads it."""

import re
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from worker.cli.output import as_json_option, print_json
from worker.content.errors import TemplateError
from worker.content.findings import Finding
from worker.content.lint import key_of, lint_templates
from worker.content.lint_windows import twins
from worker.content.render import Content
from worker.content.sources import template_name
from worker.core.cards import Audience, Channel, Language
from worker.core.operators import OperatorPack
from worker.core.wording import GUARDIAN_EVENT, usual_event
from worker.errors import ConfigError
from worker.paths import config_dir, line_of, read_toml, templates_dir
from worker.setup.bounded import bounded
from worker.setup.load_rules import load_rules, load_vocabulary
from worker.setup.operator_file import OperatorFile
from worker.setup.policy_file import PolicyFile
from worker.setup.sections import BookDefaults
from worker.setup.settings import load
from worker.tables import read_file

_PLACE = re.compile(r"(?P<file>[^:,]+\.toml)(?:, line \d+)?: (?P<key>[^:]+): (?P<what>.+)")
_PARTS = {Channel.SMS: "sms.txt", Channel.EMAIL: "email.txt"}


@click.command()
@as_json_option
def lint(as_json: bool) -> None:
    """Check every text, operator pack, policy and word list; tell all findings at once.

    The signature and the operators are those of the configuration. Exit code 1 if there is an
    error, 0 if there are warnings only.
    """
    directory = config_dir()
    config = list(_config(directory))
    try:
        found = sorted([*config, *bounded(lambda: _texts(directory))])
    except TemplateError as error:  # nothing behind it was looked at
        file = str(templates_dir() / error.file)
        what = f"{error.what}; what comes after it was not looked at"
        found = [*config, Finding(file, 0, "error", "endless", key_of(error.file), what)]
    errors = sum(one.severity == "error" for one in found)
    if as_json:
        told = [{**asdict(one), "line": one.line or None} for one in found]
        counts = {"errors": errors, "warnings": len(found) - errors}
        print_json({"ok": not errors, **counts, "findings": told})
    else:
        for one in found:
            where = f"{one.file}:{one.line}" if one.line else one.file
            color = "red" if one.severity == "error" else "yellow"
            mark = click.style(one.severity, fg=color)
            click.echo(f"{where}: {mark} [{one.rule}] {one.key}: {one.message}")
        click.echo(f"{errors} errors, {len(found) - errors} warnings")
    sys.exit(1 if errors else 0)


def _texts(directory: Path) -> list[Finding]:
    """What is wrong with the texts, and with the windows that they tell of."""
    signature, public_url = _ours()
    content, found = lint_templates(templates_dir(), signature, _packs(directory), public_url)
    return [*_windows(directory, content), *found]


def _ours() -> tuple[str, str | None]:
    """The signature and the address of links in force; what is wrong with the settings is told
    beside."""
    try:
        settings = load()
    except ConfigError:
        return str(BookDefaults.model_fields["signature"].default), None
    return settings.book.signature, settings.web.public_url


def _packs(directory: Path) -> list[OperatorPack]:
    """The packs that are right."""
    packs = []
    for file in sorted((directory / "operators").glob("*.toml")):
        try:
            found, _ = read_file(OperatorFile, file)
        except ConfigError:
            continue
        if found:
            packs.append(found.pack(file.stem))
    return packs


def _config(directory: Path) -> Iterator[Finding]:
    """What is wrong with the TOML files: first what cannot be read at all."""
    broken = False
    for file in [*sorted(directory.glob("*.toml")), *sorted(directory.glob("operators/*.toml"))]:
        try:
            read_toml(file)
        except ConfigError as error:
            broken = True
            line = re.search(r"at line (\d+)", error.message)
            number = int(line[1]) if line else 0
            yield Finding(str(file), number, "error", "toml", file.stem, error.message)
    if broken:
        return
    try:
        load()
    except ConfigError as error:
        yield from _told(error, directory / "vigencia.toml")
    try:
        rules = load_rules(directory)
        load_vocabulary(directory, rules)
    except ConfigError as error:
        yield from _told(error, directory)


def _told(error: ConfigError, default: Path) -> Iterator[Finding]:
    """The lines of an error, each with its file and key; the first of several is a heading."""
    lines = error.message.splitlines()
    for line in lines[1:] or lines:
        if found := _PLACE.fullmatch(line.strip()):
            file, key, what = Path(found["file"]), found["key"], found["what"]
        else:
            key, _, what = line.strip().partition(": ")
            file = default
        number = line_of(file, key)
        yield Finding(str(file), number, "error", "config", key, what or key)


def _windows(directory: Path, content: Content) -> Iterator[Finding]:
    """Windows of a policy that no text tells of; what is wrong with the policy is told beside."""
    path = directory / "policies.toml"
    try:
        found, _ = read_file(PolicyFile, path)
    except ConfigError:
        return
    policies = found.policies() if found else {}
    for key, what in twins(content, policies):
        yield Finding(str(path), line_of(path, key), "error", "same-text", key, what)
    for policy in policies.values():
        for window in policy.windows:
            event = usual_event(window.deadline, window.offset)
            for to in window.destinations:
                for language in Language:
                    told = GUARDIAN_EVENT if to.audience is Audience.GUARDIAN else event
                    name = template_name(told, language, _PARTS[to.channel])
                    if name not in content.templates:
                        key = f"{policy.kind}.{window.name}"
                        what = f"no text tells of it: {name} is missing or wrong"
                        yield Finding(str(path), line_of(path, key), "error", "window", key, what)
