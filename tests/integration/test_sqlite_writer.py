"""SQLite has one place for a writer: everybody gets a turn, and who waits too long is told."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from tests.patience import patient
from worker.errors import UnreachableError
from worker.store.engine import open_engine, reading, writing

WRITERS, TIMES = 6, 25


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database with one number in it."""
    made = tmp_path / "turns.db"
    with closing(sqlite3.connect(made)) as conn, conn:
        conn.execute("CREATE TABLE numbers (value INTEGER)")
        conn.execute("INSERT INTO numbers VALUES (0)")
    return made


@pytest.fixture
def engine(file: Path) -> Iterator[Engine]:
    opened = open_engine(f"sqlite:///{file}")
    assert value(opened) == 0
    yield opened
    opened.dispose()


def value(engine: Engine) -> int:
    with reading(engine) as conn:
        return int(conn.execute(text("SELECT value FROM numbers")).scalar_one())


def add_some(engine: Engine) -> None:
    for _ in range(TIMES):
        add_one(engine)


def add_one(engine: Engine) -> None:
    with writing(engine) as conn:
        found = conn.execute(text("SELECT value FROM numbers")).scalar_one()
        conn.execute(text("UPDATE numbers SET value = :next"), {"next": found + 1})


def test_no_turn_is_lost_among_threads_and_engines(engine: Engine, file: Path) -> None:
    other = open_engine(f"sqlite:///{file}")  # as another process has it
    with ThreadPoolExecutor(WRITERS) as pool:
        engines = [engine, other] * (WRITERS // 2)
        list(pool.map(add_some, engines))
    assert value(other) == WRITERS * TIMES
    other.dispose()


def test_who_waits_too_long_is_told_and_the_next_gets_a_turn(
    engine: Engine, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.store.sqlite_writer.PATIENCE", 0.05)
    with closing(sqlite3.connect(file, isolation_level=None)) as somebody:
        somebody.execute("BEGIN IMMEDIATE")
        for _ in range(2):
            with pytest.raises(UnreachableError, match="database is locked") as caught:
                add_one(engine)
            assert "another process was writing" in str(caught.value.hint).lower()
        assert value(engine) == 0, "a reader waits for nobody"
        somebody.execute("ROLLBACK")
    monkeypatch.setattr("worker.store.sqlite_writer.PATIENCE", 20.0)
    with ThreadPoolExecutor(1) as pool:  # nobody has kept the turn
        pool.submit(add_one, engine).result(timeout=patient(10))
    assert value(engine) == 1


def test_a_turn_ends_with_its_transaction_however_that_ends(engine: Engine) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), writing(engine):
            _ = 1 / 0
    add_one(engine)
    assert value(engine) == 1
