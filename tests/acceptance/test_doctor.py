"""The doctor looks at everything, tells what helps, and changes nothing."""

import os
from pathlib import Path
from typing import Any

import pytest
import redis
from pydantic import SecretStr
from sqlalchemy import URL

from benchmarks.stage.ports import free_port
from tests.acceptance.program import Program
from tests.integration.helpers import until
from tests.integration.test_database_faults import read_only
from tests.patience import patient
from worker.processes.embedded import EmbeddedServer
from worker.sandbox.process import SandboxProcess
from worker.setup.broker import trouble
from worker.store.engine import open_engine
from worker.store.migrate import upgrade

LIVE = {
    "TWILIO_ACCOUNT_SID": "AC" + "1" * 32,
    "TWILIO_AUTH_TOKEN": "2" * 32,
    "TWILIO_FROM": "+15005550006",
}


def checks(vigencia: Program, *arguments: str, **env: str) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    ran = vigencia.run("doctor", *arguments, "--json", **env)
    assert "Traceback" not in ran.told
    for one in ran.json["checks"]:
        found.setdefault(one["name"], []).append(one)
    return found


def test_it_makes_no_file_and_no_folder(vigencia: Program) -> None:
    [told] = checks(vigencia)["database"]
    assert (told["state"], "not there yet" in told["message"]) == ("ok", True)
    assert list(vigencia.directory.iterdir()) == []
    empty = vigencia.directory / "x.db"
    assert checks(vigencia, DATABASE_URL=f"sqlite:///{empty}")["database"][0]["state"] == "ok"
    assert not empty.exists()


def test_it_names_where_messages_really_go(vigencia: Program, sandbox: SandboxProcess) -> None:
    env = {"TWILIO_BASE_URL": sandbox.url, "SENDGRID_BASE_URL": "http://127.0.0.1:9"}
    found = checks(vigencia, **env)
    assert sandbox.url in found["sms"][0]["message"]
    assert "http://127.0.0.1:9" in found["email"][0]["message"]
    there = checks(vigencia, **LIVE, TWILIO_BASE_URL="https://twilio.example.com")
    assert "https://twilio.example.com" in there["sms"][0]["message"]


def test_it_asks_the_providers_when_told_to(vigencia: Program, sandbox: SandboxProcess) -> None:
    env = {"VIGENCIA_SANDBOX__URL": sandbox.url}
    assert "online" not in checks(vigencia, **env)
    online = checks(vigencia, "--online", **env)["online"]
    assert [one["state"] for one in online] == ["ok", "ok"]
    closed = checks(vigencia, "--online", VIGENCIA_SANDBOX__URL=f"http://127.0.0.1:{free_port()}")
    assert [one["state"] for one in closed["online"]] == ["error", "error"]


def test_a_newer_database_is_told_and_left_alone(vigencia: Program) -> None:
    assert vigencia.run("db", "upgrade").code == 0
    engine = open_engine(f"sqlite:///{vigencia.directory}/var/vigencia.db")
    with engine.begin() as conn:
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    for command in (("doctor",), ("db", "upgrade"), ("cards", "list"), ("once",)):
        ran = vigencia.run(*command)
        assert (ran.code, "Traceback" in ran.told) == (1, False), ran.told
        assert "newer than this program" in ran.told
        assert "Next: Run the newer version" in ran.told


def test_a_file_that_is_no_database_is_told(vigencia: Program) -> None:
    file = vigencia.directory / "x.db"
    file.write_bytes(b"this is a letter and no database at all" * 100)
    for command in (("doctor",), ("cards", "list")):
        ran = vigencia.run(*command, DATABASE_URL=f"sqlite:///{file}")
        assert (ran.code, "Traceback" in ran.told) == (1, False), ran.told


@pytest.fixture
def poor_role(empty_postgresql: URL) -> Any:
    """A role that may connect, and nothing else."""
    owner = open_engine(empty_postgresql.render_as_string(hide_password=False))
    role = f"poor_{os.getpid()}"
    with owner.begin() as conn:
        conn.exec_driver_sql(f"CREATE ROLE {role} LOGIN PASSWORD 'poor'")
        conn.exec_driver_sql("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        conn.exec_driver_sql("GRANT USAGE ON SCHEMA public TO PUBLIC")
    url = empty_postgresql.set(username=role, password="poor")
    yield url.render_as_string(hide_password=False), empty_postgresql
    with owner.begin() as conn:
        conn.exec_driver_sql(f"DROP OWNED BY {role}")
        conn.exec_driver_sql(f"DROP ROLE {role}")
    owner.dispose()


def test_rights_that_a_role_lacks_are_told_with_the_grant(
    vigencia: Program, poor_role: Any
) -> None:
    url, owner = poor_role
    [told] = checks(vigencia, DATABASE_URL=url)["database"]
    assert (told["state"], "CREATE ON SCHEMA public" in told["hint"]) == ("error", True)
    ran = vigencia.run("db", "upgrade", DATABASE_URL=url)
    assert (ran.code, "Traceback" in ran.told, "GRANT" in ran.told) == (1, False, True), ran.told
    own = owner.render_as_string(hide_password=False)
    assert vigencia.run("db", "upgrade", DATABASE_URL=own).code == 0
    ran = vigencia.run("doctor", DATABASE_URL=url)
    assert (ran.code, "GRANT" in ran.told, "Traceback" in ran.told) == (1, True, False), ran.told
    ran = vigencia.run("cards", "list", DATABASE_URL=url)
    assert (ran.code, "GRANT" in ran.told, "Traceback" in ran.told) == (1, True, False), ran.told


def test_a_wrong_password_of_the_queue_is_told_as_such(
    vigencia: Program, queue_server: str
) -> None:
    client: Any = redis.Redis.from_url(queue_server)
    client.execute_command("ACL", "SETUSER", "doctor", "on", ">right", "~*", "+@all")
    try:
        prefix = queue_server.replace("://", "://doctor:wrong@", 1)
        [told] = checks(vigencia, REDIS_URL=prefix)["queue"]
        assert (told["state"], "password" in told["message"]) == ("error", True)
        [fine] = checks(vigencia, REDIS_URL=prefix.replace("wrong", "right"))["queue"]
        assert fine["state"] == "ok"
    finally:
        client.execute_command("ACL", "DELUSER", "doctor")
        client.close()


def test_a_queue_that_answers_and_takes_nothing_is_told_with_its_reason(
    vigencia: Program, tmp_path: Path
) -> None:
    with EmbeddedServer(tmp_path / "queue") as server:
        client: Any = redis.Redis.from_url(server.url)
        client.config_set("maxmemory", "1")
        [full] = checks(vigencia, REDIS_URL=server.url)["queue"]
        assert (full["state"], "memory" in full["message"]) == ("error", True)
        assert "is full" in full["message"]
        assert "raise maxmemory" in full["hint"]
        client.config_set("maxmemory", "0")
        client.replicaof("127.0.0.1", 1)
        [replica] = checks(vigencia, REDIS_URL=server.url)["queue"]
        assert replica["state"] == "error"
        assert "is a read-only replica" in replica["message"]
        assert "to the primary" in replica["hint"]
        client.replicaof("NO", "ONE")
        assert trouble(SecretStr(server.url)) is None
        assert client.dbsize() == 0, "to ask changes nothing"
        client.close()


@pytest.mark.parametrize("wrong", ["127.0.0.1:16399", "redis://h:x"])
def test_a_queue_without_a_scheme_is_no_traceback(vigencia: Program, wrong: str) -> None:
    for command in ("doctor", "up", "worker", "scheduler"):
        ran = vigencia.run(command, REDIS_URL=wrong)
        assert (ran.code, "REDIS_URL is not a Redis address" in ran.told) == (1, True)
        assert "Traceback" not in ran.told


def test_it_asks_a_running_process_whether_it_lives(vigencia: Program) -> None:
    port = str(free_port())
    assert vigencia.run("doctor", "--live", "web", VIGENCIA_WEB__PORT=port).code == 1
    web = vigencia.start("web", VIGENCIA_WEB__PORT=port)
    try:
        lives = lambda: vigencia.run("doctor", "--live", "web", VIGENCIA_WEB__PORT=port).code == 0  # noqa: E731
        assert until(lives, 60)
        ran = vigencia.run("doctor", "--live", "--json", VIGENCIA_WEB__PORT=port)
        assert (ran.code, ran.json["answers"]["web"]) == (0, True)
    finally:
        web.terminate()
        web.wait(patient(30))
    assert vigencia.run("doctor", "--live", "web", VIGENCIA_WEB__PORT=port).code == 1


def test_to_ask_a_process_whether_it_lives_needs_no_part_of_the_program(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys, worker.cli.doctor, worker.cli.live; "
        "heavy = {'sqlalchemy', 'pydantic', 'redis', 'dramatiq', 'twilio'} & sys.modules.keys(); "
        "sys.exit(' '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_queue_that_takes_nothing_is_told(vigencia: Program, tmp_path: Path) -> None:
    import redis

    with EmbeddedServer(tmp_path / "queue") as server:
        client: Any = redis.Redis.from_url(server.url)
        client.config_set("maxmemory", "1")
        [full] = checks(vigencia, REDIS_URL=server.url)["queue"]
        assert (full["state"], "full" in full["message"]) == ("error", True)
        client.config_set("maxmemory", "0")
        client.execute_command("REPLICAOF", "127.0.0.1", str(free_port()))
        [replica] = checks(vigencia, REDIS_URL=server.url)["queue"]
        assert (replica["state"], "read-only replica" in replica["message"]) == ("error", True)
        client.close()


def test_a_database_that_takes_no_changes_is_told(vigencia: Program, empty_postgresql: URL) -> None:
    url = empty_postgresql.render_as_string(hide_password=False)
    engine = open_engine(url)
    upgrade(engine)
    with read_only(engine):
        [told] = checks(vigencia, DATABASE_URL=url)["database"]
    assert (told["state"], "read-only" in told["message"]) == ("error", True)
    [fine] = checks(vigencia, DATABASE_URL=url)["database"]
    assert fine["state"] == "ok"
    engine.dispose()
