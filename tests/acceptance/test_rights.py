"""Two roles of PostgreSQL have exactly the rights that the guide names: one migrates, one runs."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine

from tests.acceptance.guide import blocks
from tests.acceptance.program import Program
from tests.integration.sandbox_helpers import reset
from worker.sandbox.process import SandboxProcess
from worker.store.engine import open_engine

NOW, MUCH_LATER = "2026-06-12T15:00:00+00:00", "2030-06-12T15:00:00+00:00"
BOOK = """msisdn,expires,email,language,operator,kind,holder
987654321,2026-06-13,rosa@example.com,en,claro,data,Rosa
"""
OWNER, ROLE = f"vigencia_owner_{os.getpid()}", f"vigencia_{os.getpid()}"


def execute(engine: Engine, statements: str, database: str) -> None:
    """The statements of a block, for our database and roles."""
    words = {"vigencia_owner": OWNER, "DATABASE vigencia": f"DATABASE {database}"}
    words["TO vigencia;"] = f"TO {ROLE};"
    for old, new in words.items():
        statements = statements.replace(old, new)
    with engine.begin() as conn:
        for statement in filter(str.strip, statements.split(";\n")):
            conn.exec_driver_sql(statement.rstrip(";\n"))


@pytest.fixture
def roles(empty_postgresql: URL) -> Iterator[dict[str, str]]:
    """The address of the database for each role, which has what the guide gives it and no more."""
    database = str(empty_postgresql.database)
    admin = open_engine(empty_postgresql.render_as_string(hide_password=False))
    with admin.begin() as conn:
        for role in (OWNER, ROLE):
            conn.exec_driver_sql(f"CREATE ROLE {role} LOGIN")
        conn.exec_driver_sql("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        conn.exec_driver_sql(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
    _, of_owner, by_owner, of_role = blocks("Rights", "sql")
    execute(admin, of_owner, database)
    execute(admin, of_role, database)
    found = {}
    for role in (OWNER, ROLE):
        url = empty_postgresql.set(username=role)
        found[role] = url.render_as_string(hide_password=False)
    owner = open_engine(found[OWNER])
    execute(owner, by_owner, database)
    owner.dispose()
    yield found
    with admin.begin() as conn:
        for role in (ROLE, OWNER):
            conn.exec_driver_sql(f"DROP OWNED BY {role}")
            conn.exec_driver_sql(f"DROP ROLE {role}")
    admin.dispose()


def test_the_rights_of_the_guide_are_enough_for_everything(
    tmp_path: Path, roles: dict[str, str], sandbox_process: SandboxProcess, sandbox_clock: Path
) -> None:
    reset(sandbox_process.url)
    sandbox_clock.write_text(NOW)
    (tmp_path / "cards.csv").write_text(BOOK, "utf-8")
    env = {"VIGENCIA_SANDBOX__URL": sandbox_process.url, "VIGENCIA_CLOCK_FILE": str(sandbox_clock)}
    owner = Program(tmp_path, {**env, "DATABASE_URL": roles[OWNER]})
    vigencia = Program(tmp_path, {**env, "DATABASE_URL": roles[ROLE]})
    refused = vigencia.run("db", "upgrade")
    assert (refused.code, "GRANT" in refused.told) == (1, True), refused.told
    assert owner.run("db", "upgrade").code == 0

    ran = vigencia.run("cards", "import", "cards.csv", "--book", "lima", "--new-book", "--apply")
    assert ran.code == 0, ran.told
    ran = vigencia.run("once", "--json")
    assert (ran.code, ran.json["sent"]) == (0, 2), ran.told
    for words in (
        ("promise",),
        ("cards", "renew", "987654321", "--plan-end", "2026-07-13"),
        (
            "suppressions",
            "add",
            "--address",
            "rosa@example.com",
            "--channel",
            "email",
            "--reason",
            "x",
        ),
        ("db", "quarantine", "--since", NOW),
        ("db", "release"),
    ):
        ran = vigencia.run(*words)
        assert ran.code == 0, (words, ran.told)
    sandbox_clock.write_text(MUCH_LATER)
    ran = vigencia.run("retention", "run", "--json")
    assert (ran.code, ran.json["proofs"] > 0) == (0, True), ran.told
    assert vigencia.run("books", "remove", "lima", "--apply").code == 0
    checks = vigencia.run("doctor", "--json").json["checks"]
    assert [one["state"] for one in checks if one["name"] == "database"] == ["ok"]


def test_a_role_that_owns_its_database_needs_no_more(tmp_path: Path, empty_postgresql: URL) -> None:
    admin = open_engine(empty_postgresql.render_as_string(hide_password=False))
    name = f"{empty_postgresql.database}_own"
    block = blocks("Rights", "sql")[0].replace("vigencia", name)
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        try:
            for statement in block.splitlines():
                conn.exec_driver_sql(statement)
            url = empty_postgresql.set(username=name, database=name)
            env = {"DATABASE_URL": url.render_as_string(hide_password=False)}
            assert Program(tmp_path, env).run("db", "upgrade").code == 0
            assert Program(tmp_path, env).run("cards", "list").code == 0
        finally:
            conn.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            conn.exec_driver_sql(f"DROP ROLE IF EXISTS {name}")
    admin.dispose()


def test_none_of_them_can_be_left_out(tmp_path: Path, roles: dict[str, str]) -> None:
    """But for CONNECT and USAGE on the schema, without which nothing begins."""
    owner = Program(tmp_path, {"DATABASE_URL": roles[OWNER]})
    vigencia = Program(tmp_path, {"DATABASE_URL": roles[ROLE]})
    assert owner.run("db", "upgrade").code == 0
    engine = open_engine(roles[OWNER])
    for right, what in (("USAGE", "SEQUENCES"), ("DELETE", "TABLES"), ("INSERT", "TABLES")):
        with engine.begin() as conn:
            conn.exec_driver_sql(f"REVOKE {right} ON ALL {what} IN SCHEMA public FROM {ROLE}")
        ran = vigencia.run("db", "quarantine", "--since", NOW)
        assert (ran.code, "GRANT" in ran.told, "Traceback" in ran.told) == (1, True, False), (
            ran.told
        )
        if what == "SEQUENCES":
            assert "GRANT USAGE ON ALL SEQUENCES" in vigencia.run("doctor").out
        with engine.begin() as conn:
            conn.exec_driver_sql(f"GRANT {right} ON ALL {what} IN SCHEMA public TO {ROLE}")
        assert vigencia.run("db", "quarantine", "--since", NOW).code == 0
    engine.dispose()
