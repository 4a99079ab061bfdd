"""Fixtures of the integration tests: migrated databases, a clean queue, a world to play in."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import URL, Connection, Engine

from tests.integration.helpers import DATABASES, World
from tests.integration.real_path import Walk
from tests.integration.sandbox_helpers import reset
from tests.integration.texts import Texts, play
from tests.integration.texts import rules as rules_of_texts
from tests.patience import patient
from worker.content.render import Content
from worker.core.rules import Rules
from worker.paths import shipped
from worker.sandbox.process import SandboxProcess
from worker.setup import load_texts
from worker.setup.load_rules import load_rules
from worker.store.engine import open_engine
from worker.store.migrate import upgrade
from worker.store.tables import metadata


@pytest.fixture(scope="session")
def rules() -> Rules:
    """The rules that come with the program."""
    return load_rules(shipped("config"))


@pytest.fixture(scope="session")
def content() -> Content:
    """The texts that come with the program."""
    return load_texts.texts(shipped("templates"))


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "vigencia.db"
    engine = open_engine(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql_database: URL) -> Iterator[Engine]:
    """The migrated database of this test process."""
    engine = open_engine(postgresql_database.render_as_string(hide_password=False))
    upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture(params=DATABASES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A migrated database without rows: every test that asks for it runs on both."""
    if request.param == "sqlite":
        path = tmp_path / "vigencia.db"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
        found = open_engine(f"sqlite:///{path}")
        yield found
        found.dispose()
        return
    yield request.getfixturevalue("emptied_postgresql")


@pytest.fixture
def emptied_postgresql(migrated_postgresql: Engine) -> Engine:
    """The migrated database of this test process, without rows."""
    with migrated_postgresql.begin() as connection:
        _empty(connection)
    return migrated_postgresql


def _empty(connection: Connection) -> None:
    """As it was after the migration. Truncating costs PostgreSQL new files for each table and
    index, so only what holds rows is."""
    names = [table.name for table in metadata.sorted_tables]
    rows = " UNION ALL ".join(f"SELECT '{n}' WHERE EXISTS (SELECT FROM {n})" for n in names)  # noqa: S608
    if used := [name for (name,) in connection.exec_driver_sql(rows)]:
        connection.exec_driver_sql(f"TRUNCATE {', '.join(used)} CASCADE")
    connection.exec_driver_sql(
        "SELECT setval(quote_ident(schemaname) || '.' || quote_ident(sequencename), start_value, "
        "false) FROM pg_sequences WHERE last_value IS NOT NULL"
    )


@pytest.fixture(params=DATABASES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/vigencia.db"
    url: URL = request.getfixturevalue("empty_postgresql")
    return url.render_as_string(hide_password=False)


@pytest.fixture
def sandbox(sandbox_process: SandboxProcess) -> str:
    """The address of a sandbox that was told nothing yet."""
    reset(sandbox_process.url)
    return sandbox_process.url


@pytest.fixture
def queue(queue_server: str) -> str:
    """The address of an empty queue server."""
    client = redis.Redis.from_url(queue_server)
    client.flushdb()
    client.close()
    return queue_server


@pytest.fixture
def world(
    engine: Engine, sandbox: str, sandbox_clock: Path, rules: Rules, content: Content
) -> World:
    """A database, the sandbox, and the use cases between them."""
    return World(engine, sandbox, sandbox_clock, rules, content)


@pytest.fixture
def walk(world: World) -> Walk:
    """The real app; patient, since many calls are made at once."""
    world.read_timeout = 5.0
    return Walk(world)


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Texts:
    """What arrived of the rows of all texts. It is played once, however many processes test: the
    others wait for the mailbox of the first."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    mailbox = folder / "texts.json"
    with (folder / "texts.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not mailbox.exists():
            mailbox.write_text(json.dumps(_play_texts(tmp_path_factory, request)))
    return Texts(json.loads(mailbox.read_text()))


def _play_texts(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("texts") / "vigencia.db"
    shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
    url = request.getfixturevalue("sandbox_process").url
    clock, content = map(request.getfixturevalue, ("sandbox_clock", "content"))
    engine = open_engine(f"sqlite:///{path}")
    reset(url)
    found = play(World(engine, url, clock, rules_of_texts(), content, read_timeout=patient(2)))
    reset(url)
    engine.dispose()
    return found
