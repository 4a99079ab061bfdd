"""A database that falls silent, takes no changes, refuses a right or is damaged: that is told,
nothing dies of it, and nothing is sent twice."""

import contextlib
import os
import select
import shutil
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from sqlalchemy import Engine, event, text
from structlog.testing import capture_logs

from tests.integration.helpers import NOW, Carrier, Out, World, always, causes
from tests.integration.sandbox_helpers import call
from tests.integration.web_helpers import serving
from worker.core.cards import Channel
from worker.core.outcomes import Outcome, OutcomeKind, accepted
from worker.core.reminders import MessageState
from worker.errors import UnreachableError
from worker.processes.doctor import database as health_database
from worker.processes.doctor.database import database
from worker.processes.embedded import EmbeddedServer
from worker.processes.scheduler import run
from worker.store import postgresql
from worker.store.engine import open_engine, reading, writing
from worker.store.migrate import require_current
from worker.store.postgresql import StatementTimeouts
from worker.store.tables import messages

SMS, MAIL = Channel.SMS, Channel.EMAIL
QUICK = StatementTimeouts(statement=1, lock=1, idle=60)


class Proxy:
    """Stands between us and PostgreSQL. ``silent``: it takes all and passes nothing on, as a box
    does that has forgotten the connection; TCP sees nothing wrong."""

    def __init__(self, upstream: Callable[[], socket.socket]) -> None:
        self.silent = threading.Event()
        self._upstream, self._ending = upstream, threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._begin(self._accept)

    def _begin(self, work: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._ending.is_set():
            if select.select([self._server], [], [], 0.05)[0]:
                self._begin(self._carry, self._server.accept()[0])

    def _carry(self, client: socket.socket) -> None:
        with client, self._upstream() as server:
            other = {client: server, server: client}
            while not self._ending.is_set():
                for ready in select.select([client, server], [], [], 0.05)[0]:
                    try:
                        data = ready.recv(65536)
                        if not data:
                            return
                        if not self.silent.is_set():
                            other[ready].sendall(data)
                    except OSError:
                        return

    def close(self) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join(10)
        self._server.close()


@pytest.fixture
def proxy(migrated_postgresql: Engine) -> Iterator[Proxy]:
    url = migrated_postgresql.url
    host, port = str(url.query.get("host", url.host or "127.0.0.1")), url.port or 5432

    def connect() -> socket.socket:
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        found = socket.socket(socket.AF_UNIX)
        found.connect(f"{host}/.s.PGSQL.{port}")
        return found

    found = Proxy(connect)
    yield found
    found.close()


@pytest.fixture
def behind(
    proxy: Proxy, emptied_postgresql: Engine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Engine]:
    """An engine that speaks through the proxy, as that of a process that serves."""
    monkeypatch.setattr(postgresql, "_GRACE", 1.0)
    monkeypatch.setattr(postgresql, "_PING", 1.0)
    url = emptied_postgresql.url.set(host="127.0.0.1", port=proxy.port, query={})
    url = url.update_query_dict({"connect_timeout": "2"})
    engine = open_engine(url.render_as_string(hide_password=False), bounds=QUICK)
    yield engine
    engine.dispose()


def answer(engine: Engine) -> object:
    with reading(engine) as conn:
        return conn.execute(text("SELECT 1")).scalar()


def test_a_database_that_falls_silent_between_two_statements_is_seen(
    proxy: Proxy, behind: Engine
) -> None:
    assert answer(behind) == 1
    proxy.silent.set()
    with pytest.raises(UnreachableError):
        answer(behind)
    proxy.silent.clear()
    assert answer(behind) == 1


def test_a_database_that_falls_silent_within_a_transaction_is_seen(
    proxy: Proxy, behind: Engine
) -> None:
    with pytest.raises(UnreachableError, match="no answer"):
        _fall_silent_within(behind, proxy)
    proxy.silent.clear()
    assert answer(behind) == 1


def _fall_silent_within(engine: Engine, proxy: Proxy) -> None:
    with writing(engine) as conn:
        conn.execute(text("SELECT 1"))
        proxy.silent.set()
        conn.execute(text("SELECT 1"))


@pytest.mark.parametrize("statement", ["SELECT pg_sleep(600)", "SELECT pg_advisory_lock(77)"])
def test_a_statement_that_takes_too_long_is_ended_by_the_server(
    behind: Engine, migrated_postgresql: Engine, statement: str
) -> None:
    with migrated_postgresql.connect() as other:
        other.execute(text("SELECT pg_advisory_lock(77)"))
        with pytest.raises(UnreachableError) as caught, reading(behind) as conn:
            conn.execute(text(statement))
        other.execute(text("SELECT pg_advisory_unlock(77)"))
    assert "statement_seconds" in caught.value.hint


def test_a_command_may_take_as_long_as_it_needs(migrated_postgresql: Engine) -> None:
    with reading(migrated_postgresql) as conn:
        assert conn.execute(text("SHOW statement_timeout")).scalar() == "0"


def test_a_scheduler_tells_of_a_silent_database_and_goes_on_when_it_speaks(
    proxy: Proxy, behind: Engine, world_behind: World
) -> None:
    app = world_behind.app(lambda: NOW, scheduler={"tick_seconds": 0.01})
    hints = Nobody()
    assert run(app, hints, threading.Event(), ticks=1).cards == 0
    proxy.silent.set()
    with capture_logs() as logs:
        run(app, hints, threading.Event(), ticks=2)
    assert set(causes(logs)) == {"database_unreachable"}
    proxy.silent.clear()
    with capture_logs() as logs:
        run(app, hints, threading.Event(), ticks=1)
    assert causes(logs) == []


def test_readyz_tells_of_a_silent_database(proxy: Proxy, world_behind: World) -> None:
    app = world_behind.app(lambda: NOW)
    with serving(app) as url:
        assert call(url, "GET", "/readyz").status == 200
        proxy.silent.set()
        told = call(url, "GET", "/readyz")
        while told.status == 200:  # the answer of a moment ago is remembered
            told = call(url, "GET", "/readyz")
        assert "database" in told.json["missing"]
        assert call(url, "GET", "/healthz").status == 200


@pytest.fixture
def world_behind(behind: Engine, world_of_postgresql: World) -> World:
    world_of_postgresql.engine = behind
    return world_of_postgresql


@pytest.fixture
def world_of_postgresql(request: pytest.FixtureRequest) -> World:
    """The world on PostgreSQL alone."""
    names = ("sandbox", "sandbox_clock", "rules", "content")
    parts = [request.getfixturevalue(name) for name in names]
    return World(request.getfixturevalue("emptied_postgresql"), *parts)


class Nobody:
    """Takes hints and does nothing."""

    def check_cards(self, ids: Any) -> None: ...
    def send(self, channel: Channel, ids: Any) -> None: ...
    def reconcile(self, ids: Any) -> None: ...
    def fetch(self, ids: Any) -> None: ...
    def work_jobs(self, ids: Any) -> None: ...

    def is_full(self, channel: Channel | None) -> bool:
        return False


# Read-only, as after a failover


@contextlib.contextmanager
def read_only(engine: Engine) -> Iterator[Callable[[], None]]:
    """The database takes no changes, and ends all connections, until it is told to."""
    url = engine.url
    admin = open_engine(url.set(database="postgres").render_as_string(hide_password=False))

    def say(mode: str) -> None:
        with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            name = url.database
            conn.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = {mode}"))
            conn.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :n"),
                {"n": name},
            )

    say("on")
    try:
        yield lambda: say("off")
    finally:
        say("off")
        admin.dispose()


def is_sqlite(world: World) -> bool:
    return world.engine.dialect.name == "sqlite"


def test_a_scheduler_survives_a_database_that_takes_no_changes(world: World) -> None:
    if is_sqlite(world):
        pytest.skip("it cannot fail over")
    world.card()
    app = world.app(lambda: NOW, scheduler={"tick_seconds": 0.01})
    with read_only(world.engine) as end, capture_logs() as logs:
        run(app, Nobody(), threading.Event(), ticks=2)
        told = [one for one in logs if one["event"] == "alarm"]
        assert {one["cause"] for one in told} == {"database_unreachable"}
        assert "read-only" in str(told[-1]["reason"])
        end()
        assert run(app, Nobody(), threading.Event(), ticks=1).cards == 1


@pytest.mark.parametrize("channel", [SMS, MAIL])
def test_what_was_sent_while_the_database_turned_read_only_is_sent_once(
    world: World, channel: Channel
) -> None:
    if is_sqlite(world):
        pytest.skip("it cannot fail over")
    for n in range(6):
        world.card(world.holder(contact_phone=f"+5198765000{n}", email=f"a{n}@example.com"))
    world.check()
    timers: list[threading.Timer] = []

    async def take(out: Out) -> Outcome:
        if not timers:
            end = stack.enter_context(read_only(world.engine))
            timers.append(threading.Timer(1.5, end))
            timers[0].start()
        return accepted(f"id-{out.attempt}")

    carrier = Carrier(take)
    with contextlib.ExitStack() as stack:
        assert world.send(channel=channel, providers={channel: carrier}) == {MessageState.SENT: 6}
        timers[0].join()
    assert len(carrier.calls) == 6
    states = {row.state for row in world.rows(messages) if row.channel == channel}
    assert states == {MessageState.SENT}


def test_a_right_that_was_revoked_is_told_with_what_to_grant(migrated_postgresql: Engine) -> None:
    url = migrated_postgresql.url
    with migrated_postgresql.begin() as conn:
        conn.execute(text("DROP ROLE IF EXISTS nobody_much"))
        conn.execute(text("CREATE ROLE nobody_much LOGIN PASSWORD 'x'"))
    engine = open_engine(
        url.set(username="nobody_much", password="x").render_as_string(hide_password=False)
    )
    try:
        with pytest.raises(UnreachableError, match="right") as caught, reading(engine) as conn:
            conn.execute(messages.select()).all()
        assert "GRANT" in caught.value.hint
    finally:
        engine.dispose()
        with migrated_postgresql.begin() as conn:
            conn.execute(text("DROP ROLE nobody_much"))


# SQLite


def test_a_damaged_file_is_told_and_not_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "vigencia.db"
    engine = open_engine(f"sqlite:///{path}")
    require_current(engine)
    engine.dispose()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))
    engine = open_engine(f"sqlite:///{path}")
    with pytest.raises(UnreachableError, match="damaged"), writing(engine) as conn:
        conn.execute(messages.select()).all()
    path.write_bytes(b"this is no database at all" * 400)
    with pytest.raises(UnreachableError, match="damaged"), reading(engine) as conn:
        conn.execute(messages.select()).all()
    engine.dispose()


def test_attempts_are_on_the_disk_before_their_calls(world: World) -> None:
    if not is_sqlite(world):
        pytest.skip("PostgreSQL waits for the disk with each commit")
    waits: list[int] = []

    @event.listens_for(world.engine, "before_cursor_execute")
    def _look(conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO attempts"):
            driver = conn.connection.driver_connection
            waits.append(driver.execute("PRAGMA synchronous").fetchone()[0])

    world.card()
    world.check()
    world.send(providers={SMS: always(Outcome(OutcomeKind.ACCEPTED, "accepted"))}, channel=SMS)
    assert waits == [2], "FULL, which waits for the disk"
    with writing(world.engine) as conn:
        assert conn.exec_driver_sql("PRAGMA synchronous").scalar() == 1


def modes(folder: Path) -> dict[str, int]:
    found = (folder, *folder.rglob("*"))
    return {str(p.relative_to(folder)): stat.S_IMODE(p.stat().st_mode) for p in found}


def test_what_is_made_is_for_its_owner_alone(tmp_path: Path) -> None:
    own = tmp_path / "var"
    before = os.umask(0o022)
    try:
        engine = open_engine(f"sqlite:///{own}/vigencia.db")
        require_current(engine)
        with EmbeddedServer(own / "queue"), writing(engine) as conn:
            conn.execute(messages.select()).all()
            found = modes(own)
        engine.dispose()
    finally:
        os.umask(before)
    assert {"vigencia.db", "vigencia.db-wal", "vigencia.db-shm", "queue"} <= found.keys()
    open_to_others = {name: oct(mode) for name, mode in found.items() if mode & 0o077}
    assert open_to_others == {}


def test_a_folder_that_was_there_keeps_its_rights(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o750)
    require_current(open_engine(f"sqlite:///{tmp_path}/shared/vigencia.db"))
    assert stat.S_IMODE((tmp_path / "shared").stat().st_mode) == 0o750


def test_an_address_with_bounds_of_its_own_keeps_them(migrated_postgresql: Engine) -> None:
    url = migrated_postgresql.url.update_query_dict({"keepalives_idle": "7"})
    engine = open_engine(url.render_as_string(hide_password=False))
    with engine.connect() as conn:
        told = cast(psycopg.Connection[Any], conn.connection.dbapi_connection).info.get_parameters()
    engine.dispose()
    assert (told["keepalives_idle"], told["tcp_user_timeout"]) == ("7", "30000")


def test_a_disk_without_room_is_told(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_sqlite(world):
        pytest.skip("its disk is another machine's")
    app = world.app(lambda: NOW)
    [fine] = database(app)
    assert fine.state == "ok"
    free = shutil.disk_usage(tmp_path).free
    monkeypatch.setattr(health_database, "LEAST_FREE", free + 10**12)
    [told] = database(app)
    assert told.state == "error"
    assert "its disk is full" in told.message
