"""`vigencia users` and `vigencia console`: who may look, and a way in for who has the database."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from worker.cli import cli
from worker.core.viewer import Role
from worker.setup.build import build
from worker.store.engine import reading
from worker.store.tables import audit, sign_in_links


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/v.db")


def run(*arguments: str, given: str | None = None, code: int = 0) -> Any:
    ran = CliRunner().invoke(cli, [*arguments, "--json"], input=given)
    if code:
        return ran.exception
    assert ran.exit_code == 0, (ran.output, ran.exception)
    return json.loads(ran.stdout)


def test_a_user_is_made_changed_and_shut_out(directory: None) -> None:
    made = run("users", "add", "Rosa", "--role", "operator")
    assert made["name"] == "rosa"
    assert made["link"].startswith("http://127.0.0.1:8800/sign-in/")
    assert run("users", "list") == [
        {"name": "rosa", "role": "operator", "password": False, "disabled": False, "books": {}}
    ]
    assert run("users", "role", "rosa", "viewer")["role"] == "viewer"
    assert run("users", "role", "rosa", "none")["role"] is None
    told = run("users", "password", "rosa", given="four plain words here\n")
    assert told == {"name": "rosa", "sessions_ended": 0}
    assert run("users", "list")[0]["password"]
    assert run("users", "disable", "rosa")["disabled"]
    assert not run("users", "disable", "rosa", "--enable")["disabled"]
    with reading(build().engine) as conn:
        actions = [row.action for row in conn.execute(audit.select().order_by(audit.c.id))]
        names = {row.name for row in conn.execute(audit.select())}
    assert actions == [
        *("user_added", "role_changed", "role_changed", "password_changed"),
        *("user_disabled", "user_enabled"),
    ]
    assert names == {"command line"}


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("users", "add", "rosa", "--role", "viewer"), "There is a user rosa already."),
        (("users", "add", "two words", "--role", "viewer"), "one word"),
        (("users", "add", "uma", "--role", "viewer", "--book", "none"), "no card book 'none'"),
        (("users", "role", "nobody", "viewer"), "There is no user 'nobody'."),
        (("users", "password", "rosa"), "12 to 256 characters"),
        (("console", "link", "--user", "nobody"), "There is no user 'nobody'."),
    ],
    ids=str,
)
def test_what_cannot_be_is_told(arguments: tuple[str, ...], why: str) -> None:
    run("users", "add", "rosa", "--role", "operator")
    assert why in str(run(*arguments, given="short\n", code=1))


def test_a_link_needs_nobody_to_be_there_before() -> None:
    first = run("console", "link")
    assert first["user"] == "admin"
    again = run("console", "link")
    assert again["user"] == "admin"
    assert first["link"] != again["link"]
    [user] = run("users", "list")
    assert (user["role"], user["password"]) == (Role.ADMIN, False)
    with reading(build().engine) as conn:
        assert len(conn.execute(sign_in_links.select()).all()) == 2
