"""docker-compose.yml: every setting and secret reaches the program, and no service may do more than
it needs."""

import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.unit.project import parse_command, procfile, secrets, settings, text
from worker.setup.settings import Settings, load

# What .env cannot change: where the other containers are, and what this one must listen on.
FIXED = {"DATABASE_URL", "REDIS_URL", "PORT", "VIGENCIA_WEB__HOST", "VIGENCIA_LOG_FORMAT"}
MOUNTED = "/run/secrets"


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load(text("docker-compose.yml"))
    return loaded


def services() -> dict[str, Any]:
    found: dict[str, Any] = compose()["services"]
    return found


def own_services() -> dict[str, Any]:
    return {n: s for n, s in services().items() if s["image"] == "vigencia"}


def wanted_secrets() -> set[str]:
    """Every secret but the addresses of the other containers, which hold none."""
    return {name for name in secrets() if name.upper() not in FIXED}


def test_it_runs_the_same_processes_as_the_procfile() -> None:
    commands = {tuple(service["command"]) for service in own_services().values()}
    assert commands == {tuple(shlex.split(line)[1:]) for line in procfile().values()}
    for command in commands:
        parse_command(command)


def test_its_health_checks_ask_the_process_that_runs() -> None:
    checks = {n: s["healthcheck"]["test"] for n, s in own_services().items() if "healthcheck" in s}
    assert set(checks) == {"scheduler", "worker", "web"}
    for name, (kind, program, *words) in checks.items():
        assert (kind, program) == ("CMD", "vigencia")
        context = parse_command(words)
        assert (context.info_name, context.params["live"]) == ("doctor", name)


def test_it_gives_workers_longer_to_end_than_they_take() -> None:
    patience = Settings.model_fields["worker"].default.shutdown_seconds
    for service in own_services().values():
        assert int(service["stop_grace_period"].removesuffix("s")) >= patience + 10
        assert service["init"] is True


def test_every_setting_of_the_env_file_reaches_every_process() -> None:
    known = {env for _, env, _ in settings()}
    files = {f"{name}_FILE".upper() for name in wanted_secrets()}
    for service in own_services().values():
        assert service["env_file"] == [{"path": ".env", "required": False}]
        assert set(service["environment"]) == FIXED | files, "else .env could not change it"
    assert known >= FIXED


def test_every_secret_comes_as_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a container has it: the files of secrets/ under /run/secrets, and the environment."""
    for name in os.environ:
        if (
            name.startswith(("TWILIO_", "VONAGE_", "SENDGRID_", "SMTP_", "VIGENCIA_"))
            or name in FIXED
        ):
            monkeypatch.delenv(name)
    value = {name: f"https://u:{name}@example.com/".ljust(40, "x") for name in wanted_secrets()}
    for name, where in compose()["secrets"].items():
        assert where == {"file": f"secrets/{name}"}
        (tmp_path / name).write_text(value[name] + "\n")
    for service in own_services().values():
        assert set(service["secrets"]) == wanted_secrets()
        for name, setting in service["environment"].items():
            monkeypatch.setenv(name, setting.replace(MOUNTED, str(tmp_path)))
        loaded = load()
        got = {name: getattr(loaded, name).get_secret_value() for name in wanted_secrets()}
        assert got == value


def test_the_database_has_the_password_that_the_program_uses() -> None:
    postgres = services()["postgres"]
    assert postgres["secrets"] == ["database_password"]
    assert postgres["environment"]["POSTGRES_PASSWORD_FILE"] == f"{MOUNTED}/database_password"
    user = postgres["environment"]["POSTGRES_USER"]
    assert f"//{user}@postgres:" in own_services()["worker"]["environment"]["DATABASE_URL"]


def test_the_guide_makes_a_file_for_every_secret() -> None:
    [made] = re.findall(r"^touch secrets/\{(.+)\}$", text("docs/deployment.md"), re.M)
    assert set(made.split(",")) == secrets()
    assert set(compose()["secrets"]) == wanted_secrets()
    assert "secrets/" in text(".gitignore").splitlines()


def test_the_queue_is_kept_as_the_guide_asks() -> None:
    command = shlex.join(services()["redis"]["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    most = re.search(r"--maxmemory (\d+)mb", command)
    limit = services()["redis"]["deploy"]["resources"]["limits"]["memory"]
    assert most
    assert 2 * int(most[1]) <= int(limit.removesuffix("m")), "a rewrite may need as much again"


@pytest.mark.parametrize("name", list(compose()["services"]))
def test_no_service_may_do_more_than_it_needs(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
    assert service["logging"]["driver"] == "json-file"
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}
    assert re.fullmatch(r"\d+[mg]", service["deploy"]["resources"]["limits"]["memory"])
    if service["image"] == "vigencia":
        assert "USER 10001:10001" in text("Dockerfile").splitlines()
        assert any(mount.startswith("/tmp:") for mount in service["tmpfs"]), "workers count there"
        assert "volumes" not in service
    else:
        assert service["user"] == "999:999"
        assert service["volumes"]
