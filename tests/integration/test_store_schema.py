"""The schema: migrated from nothing and back, by one process or several, and what it stores."""

import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, select
from sqlalchemy.exc import IntegrityError, StatementError

from tests.integration.helpers import NOW, World, run_together
from worker.errors import ConfigError, UnreachableError
from worker.store import migrate
from worker.store.bulk import insert_many
from worker.store.engine import open_engine, reading, writing
from worker.store.migrate import head, require_current, revision, upgrade
from worker.store.tables import cards, holders, metadata


@pytest.fixture
def empty(empty_url: str) -> Iterator[Engine]:
    engine = open_engine(empty_url)
    yield engine
    engine.dispose()


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names()) - {"alembic_version"}


def test_an_empty_database_is_migrated_and_a_second_time_changes_nothing(empty: Engine) -> None:
    assert upgrade(empty) == (None, head())
    assert tables(empty) == set(metadata.tables)
    assert upgrade(empty) == (head(), head())
    require_current(empty)


# SQLite does not tell what an index on lower(email) is of.
@pytest.mark.filterwarnings("ignore:.*expression-based index")
def test_the_migrated_schema_is_the_one_the_code_speaks_of(empty: Engine) -> None:
    upgrade(empty)
    with empty.connect() as conn:
        context = MigrationContext.configure(conn, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_what_is_migrated_can_be_taken_back(empty: Engine) -> None:
    upgrade(empty)
    config = Config()
    config.set_main_option("script_location", "worker.store:migrations")
    with writing(empty) as conn:
        config.attributes["connection"] = conn
        command.downgrade(config, "base")
    assert tables(empty) == set()
    assert upgrade(empty) == (None, head())


def test_a_migration_that_breaks_leaves_nothing_behind(
    empty: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_conn: object) -> None:
        raise RuntimeError

    seen = iter([revision, broken])
    monkeypatch.setattr(migrate, "revision", lambda conn: next(seen)(conn))
    with pytest.raises(RuntimeError):
        upgrade(empty)
    assert tables(empty) == set()


def test_an_empty_sqlite_file_is_prepared_on_first_use(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/new/vigencia.db")
    require_current(engine)
    assert tables(engine) == set(metadata.tables)
    engine.dispose()


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
def test_an_empty_postgresql_database_is_left_to_a_person(empty: Engine) -> None:
    with pytest.raises(ConfigError) as refused:
        require_current(empty)
    assert refused.value.hint == "Run: vigencia db upgrade"
    assert tables(empty) == set()


def test_a_database_of_another_version_is_refused(empty: Engine) -> None:
    upgrade(empty)
    with writing(empty) as conn:
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigError, match="this version's tables"):
        require_current(empty)


def test_a_query_without_tables_says_what_to_run(empty: Engine) -> None:
    with pytest.raises(ConfigError) as refused, reading(empty) as conn:
        conn.execute(select(cards.c.id))
    assert refused.value.hint == "Run: vigencia db upgrade"


def test_processes_that_race_for_an_empty_database_all_find_it_ready(empty_url: str) -> None:
    work = "require_current" if empty_url.startswith("sqlite") else "upgrade"
    code = f"""
import sys, alembic.command
from worker.store.engine import open_engine
from worker.store.migrate import {work}
{work}(open_engine(sys.argv[1]))"""
    done = run_together(code, empty_url)
    assert [code for code, _ in done] == [0, 0, 0], done
    engine = open_engine(empty_url)
    require_current(engine)
    engine.dispose()


UNREACHABLE = [
    "postgresql://vigencia:geheim@127.0.0.1:1/vigencia",
    "postgres://vigencia:geheim@localhost:1/vigencia",
]


@pytest.mark.parametrize("url", UNREACHABLE)
def test_a_database_that_does_not_answer_is_named_without_its_password(url: str) -> None:
    with pytest.raises(UnreachableError) as refused, reading(open_engine(url)):
        pass
    error = refused.value
    assert "vigencia:***@" in error.message
    assert "geheim" not in f"{error.message} {error.hint} {error.__cause__!r}"
    assert error.hint


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
def test_a_password_that_is_given_apart_may_hold_any_character(empty_url: str) -> None:
    owner = open_engine(empty_url)
    role, password = f"apart_{os.getpid()}", "a@b/c:d?e#f%20 ü"
    with owner.begin() as conn:
        conn.exec_driver_sql(f"CREATE ROLE {role} LOGIN PASSWORD '{password.replace('%', '%%')}'")
    try:
        url = owner.url.set(username=role, password=None).render_as_string(hide_password=False)
        engine = open_engine(url, password=password)
        assert engine.url.password == password
        assert password not in repr(engine.url)
        with reading(engine) as conn:
            driver: Any = conn.connection.driver_connection
            assert driver.info.password == password
        engine.dispose()
        own = owner.url.set(password="own").render_as_string(hide_password=False)
        assert open_engine(own, password=password).url.password == "own"
    finally:
        with owner.begin() as conn:
            conn.exec_driver_sql(f"DROP ROLE {role}")
        owner.dispose()


def test_a_sqlite_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(UnreachableError, match="folder"):
        require_current(open_engine(f"sqlite:///{tmp_path}/folder"))


@pytest.mark.parametrize("url", ["nonsense", "mysql://localhost/x", "postgresql+asyncpg://h/x"])
def test_an_address_of_no_known_database_is_a_mistake_of_configuration(url: str) -> None:
    with pytest.raises(ConfigError, match="DATABASE_URL"):
        open_engine(url)


def test_an_error_text_never_shows_the_values_of_a_row(world: World) -> None:
    world.card(iccid="8951000000000000001")
    with pytest.raises(IntegrityError) as refused:
        world.card(iccid="8951000000000000001", note="private words")
    assert "private words" not in str(refused.value)
    assert "+519" not in str(refused.value)


def test_a_broken_rule_of_the_schema_is_not_called_an_unreachable_server(world: World) -> None:
    with pytest.raises(IntegrityError):
        world.card(holder=999_999)


LIMA = ZoneInfo("America/Lima")
ROUND_TRIPS: dict[str, Callable[[], datetime]] = {
    "utc": lambda: NOW,
    "microseconds": lambda: NOW + timedelta(microseconds=123_456),
    "lima": lambda: datetime(2026, 6, 12, 23, 59, 59, tzinfo=LIMA),
    "offset": lambda: datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=14))),
    "past": lambda: datetime(1970, 1, 1, tzinfo=UTC),
}


@pytest.mark.parametrize("name", ROUND_TRIPS)
def test_an_instant_comes_back_in_utc(world: World, name: str) -> None:
    at = ROUND_TRIPS[name]()
    world.card(next_check_at=at)
    [row] = world.rows(cards)
    assert row.next_check_at == at
    assert row.next_check_at.utcoffset() == timedelta()


def test_a_time_without_a_zone_is_refused(world: World) -> None:
    with pytest.raises((StatementError, ValueError), match="an instant needs a time zone"):
        world.card(next_check_at=NOW.replace(tzinfo=None))


def test_instants_sort_as_time_does(world: World) -> None:
    instants = [
        NOW,
        NOW + timedelta(microseconds=1),
        NOW.astimezone(LIMA) + timedelta(milliseconds=1),
        NOW + timedelta(seconds=1),
        datetime(2026, 12, 31, 19, tzinfo=LIMA),
        datetime(2027, 1, 1, 0, 0, 1, tzinfo=UTC),
    ]
    for at in reversed(instants):
        world.card(next_check_at=at)
    with reading(world.engine) as conn:
        found = conn.execute(select(cards.c.next_check_at).order_by(cards.c.next_check_at))
        assert list(found.scalars()) == instants
        earlier = select(cards.c.id).where(cards.c.next_check_at < instants[3])
        assert len(conn.execute(earlier).all()) == 3


def test_money_and_days_come_back_as_they_went_in(world: World) -> None:
    world.card(balance=Decimal("1234567.89"), plan_end=date(2028, 2, 29))
    [row] = world.rows(cards)
    assert (row.balance, row.plan_end) == (Decimal("1234567.89"), date(2028, 2, 29))


def test_awkward_texts_are_stored_as_they_are(world: World) -> None:
    names = ['"', "\\", '\\"', "{a,b}", "NULL", "", " ", "a\nb", "'", "Ñandú 中文 🙂", "%s :x ?"]
    ids = [world.holder(name=name) for name in names]
    rows = [{"book_id": world.book(), "name": name, "language": "en", "time_zone": "UTC",
             "contact_phone": None, "email": name, "created_at": NOW, "updated_at": NOW}
            for name in names]  # fmt: skip
    with writing(world.engine) as conn:
        ids += insert_many(conn, holders, rows)
        found = conn.execute(select(holders.c.id, holders.c.name).order_by(holders.c.id)).all()
    assert [tuple(row) for row in found] == list(zip(ids, names * 2, strict=True))


def test_many_who_open_a_new_sqlite_file_at_once_all_get_in(tmp_path: Path) -> None:
    """SQLite does not wait for its turn to write ahead, as it does for everything else."""
    for number in range(30):
        start, failed = threading.Barrier(8), list[Exception]()
        url = f"sqlite:///{tmp_path}/{number}.db"

        def come(url: str = url, start: threading.Barrier = start) -> None:
            engine = open_engine(url)
            start.wait()
            try:
                with reading(engine) as conn:
                    conn.exec_driver_sql("SELECT 1")
            except Exception as error:
                failed.append(error)  # noqa: B023 - of this round, which waits for it
            finally:
                engine.dispose()

        threads = [threading.Thread(target=come) for _ in range(8)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert failed == []
