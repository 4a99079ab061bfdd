"""Imports that are cut short, or meet each other: all of a book goes in or nothing, and once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

from tests.integration.helpers import NOW, TODAY, WANTED, World, run_together
from tests.integration.test_import import LATER, ROW, book_of
from worker.cardbook.importer import Result, import_book
from worker.cardbook.rows import CardRow
from worker.core.reminders import ReminderState
from worker.core.rules import Rules
from worker.errors import UnreachableError
from worker.store import books as book_store
from worker.store.engine import open_engine, reading, writing
from worker.store.tables import books, card_events, cards, holders, metadata, reminders

# A server can go away, a file's disk can be full.
on_postgresql = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
on_sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)

MANY = tuple(
    replace(ROW, row=n, msisdn=f"+51{900_000_000 + n}", iccid=None, holder=f"Holder {n % 90}")
    for n in range(600)
)
RENEWED = tuple(replace(row, plan_end=TODAY + timedelta(days=40)) for row in MANY)


def put(engine: Engine, rules: Rules, rows: tuple[CardRow, ...], now: Any = NOW) -> Result:
    return import_book(engine, book_of(*rows), "demo", WANTED, now, rules=rules, apply=True)


def everything(engine: Engine) -> list[Any]:
    with reading(engine) as conn:
        return [conn.execute(table.select()).all() for table in metadata.sorted_tables]


@contextmanager
def at_statement(engine: Engine, words: str, then: Callable[[Connection], None]) -> Iterator[None]:
    """Do something right before the first statement with ``words``, or before the commit."""
    done: list[str] = []

    def once(conn: Connection) -> None:
        if not done:
            done.append(words)
            then(conn)

    def before(conn: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if words in statement:
            once(conn)

    name, listener = ("commit", once) if words == "COMMIT" else ("before_cursor_execute", before)
    event.listen(engine, name, listener)
    try:
        yield
    finally:
        event.remove(engine, name, listener)
    assert done, f"the import executes no {words}"


@on_postgresql
@pytest.mark.parametrize("when", ["INSERT INTO holders", "INSERT INTO cards",
                                  "INSERT INTO card_events", "COMMIT"])  # fmt: skip
def test_a_server_that_goes_away_in_a_first_import_leaves_nothing(
    engine: Engine, rules: Rules, when: str
) -> None:
    before = everything(engine)
    with at_statement(engine, when, _terminate), pytest.raises(UnreachableError) as caught:
        put(engine, rules, MANY)
    assert caught.value.exit_code == 1
    assert "try again" in caught.value.hint
    assert everything(engine) == before
    assert put(engine, rules, MANY).created == len(MANY)


@on_postgresql
@pytest.mark.parametrize("when", ["UPDATE cards", "UPDATE reminders", "INSERT INTO messages",
                                  "INSERT INTO reminders", "COMMIT"])  # fmt: skip
def test_a_server_that_goes_away_in_a_renewal_leaves_the_book_as_it_was(
    world: World, when: str
) -> None:
    put(world.engine, world.rules, MANY)
    world.check()
    before = everything(world.engine)
    with at_statement(world.engine, when, _terminate), pytest.raises(UnreachableError):
        put(world.engine, world.rules, RENEWED, LATER)
    assert everything(world.engine) == before
    assert put(world.engine, world.rules, RENEWED, LATER).changed == len(MANY)


def _terminate(conn: Connection) -> None:
    """End the server's side of ``conn``, as an administrator or a restart does."""
    pid = conn.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
    other = open_engine(conn.engine.url.render_as_string(hide_password=False))
    with other.begin() as killer:
        killer.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
    other.dispose()


@on_sqlite
@pytest.mark.parametrize("room", [2, 10, 30])
def test_a_disk_that_is_full_is_told_and_leaves_nothing(
    engine: Engine, rules: Rules, room: int
) -> None:
    before = everything(engine)
    limit = {"pages": 0}

    def begin(conn: Connection) -> None:
        used = conn.exec_driver_sql("PRAGMA page_count").scalar_one()
        allowed = used + room if limit["pages"] == 0 else 1_000_000
        conn.exec_driver_sql(f"PRAGMA max_page_count = {allowed}")

    event.listen(engine, "begin", begin)
    with pytest.raises(UnreachableError) as caught:
        put(engine, rules, MANY)
    assert "full" in caught.value.message
    assert "Make room" in caught.value.hint
    limit["pages"] = 1
    assert everything(engine) == before
    assert put(engine, rules, MANY).created == len(MANY)


@on_sqlite
def test_a_database_that_stays_locked_is_told(engine: Engine, rules: Rules) -> None:
    impatient = open_engine(engine.url.render_as_string(hide_password=False))
    event.listen(
        impatient, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout = 50")
    )
    with writing(engine), pytest.raises(UnreachableError) as caught:
        put(impatient, rules, MANY)
    assert "locked" in caught.value.message
    assert put(impatient, rules, MANY).created == len(MANY)
    impatient.dispose()


_IMPORT = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from worker.cardbook.column_file import load_columns
from worker.cardbook.importer import import_book
from worker.cardbook.parse import ReadOptions, read_cardbook
from worker.paths import shipped
from worker.setup.load_rules import load_rules
from worker.store.engine import open_engine
engine, rules = open_engine(sys.argv[1]), load_rules(shipped("config"))
book = read_cardbook(Path(sys.argv[2]), ReadOptions(), load_columns(shipped("config") / "columns.toml"))
wanted = {"signature": "Vigencia", "language": "es-PE", "time_zone": "America/Lima"}
import_book(engine, book, "demo", wanted, datetime.now(UTC), rules=rules, apply=True)
"""  # noqa: E501


@pytest.mark.parametrize("is_new", [True, False])
def test_imports_of_one_book_at_one_time_write_each_card_once(
    engine: Engine, tmp_path: Path, is_new: bool
) -> None:
    if not is_new:
        with writing(engine) as conn:
            book_store.ensure(conn, "demo", WANTED, NOW)
    header = "celular,operador,tipo,vence,titular,correo"
    lines = [
        f"9{n:08},claro,data,2099-06-12,Holder {n % 50},h{n % 50}@example.com" for n in range(400)
    ]
    file = tmp_path / "book.csv"
    file.write_text("\n".join([header, *lines]), encoding="utf-8")
    url = engine.url.render_as_string(hide_password=False)
    ended = run_together(_IMPORT, url, str(file), count=3)
    assert [code for code, _ in ended] == [0, 0, 0], ended
    with reading(engine) as conn:
        found = [conn.execute(t.select()).all() for t in (books, holders, cards, card_events)]
    assert [len(rows) for rows in found] == [1, 50, 400, 400]
    assert len({card.msisdn for card in found[2]}) == 400


def test_a_book_goes_in_while_its_cards_are_checked(world: World) -> None:
    """Neither loses what the other wrote: in the end only the new deadlines are owed."""
    put(world.engine, world.rules, MANY)
    ids = [row.id for row in world.rows(cards)]
    over = threading.Event()
    failed: list[BaseException] = []

    def check() -> None:
        try:
            while not over.is_set():
                for start in range(0, len(ids), 100):
                    world.check(NOW, ids[start : start + 100])
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=check) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for days in (40, 41, 42):
            rows = tuple(replace(row, plan_end=TODAY + timedelta(days=days)) for row in MANY)
            assert put(world.engine, world.rules, rows).changed == len(MANY)
    finally:
        over.set()
        for thread in threads:
            thread.join(60)
    assert not failed
    world.check()
    assert {card.plan_end for card in world.rows(cards)} == {TODAY + timedelta(days=42)}
    waiting = {
        (row.deadline, row.deadline_on)
        for row in world.rows(reminders)
        if row.state == ReminderState.PENDING
    }
    assert waiting == {("renewal_recorded", TODAY)}
