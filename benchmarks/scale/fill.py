"""Any number of cards with what they were told, as rows that the program itself would have left."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, Engine, inspect, text

from benchmarks.scale import shapes
from benchmarks.scale.sample_texts import texts
from benchmarks.scale.statements import CARDS, STATEMENTS
from worker.core.rules import Rules
from worker.processes.filling import Filling
from worker.setup.app import App
from worker.store.engine import reading, writing
from worker.store.migrate import upgrade

_CHUNK = 250_000
BOOKS = 1_001
Progress = Callable[[str], None]


def prepare(engine: Engine, rules: Rules) -> None:
    """The tables, the books, and what the program decides of each shape of card; once."""
    upgrade(engine)
    if inspect(engine).has_table("scale_shapes"):
        return
    with writing(engine) as conn:
        _as_loader(conn)
        conn.execute(
            text(
                "INSERT INTO books (id, name, signature, language, time_zone, created_at)"
                " SELECT b, CASE b WHEN 1 THEN 'large' ELSE 'shop ' || b END, 'Vigencia', 'es-PE',"
                " 'America/Lima', CAST(:at AS timestamptz) FROM generate_series(1, :books) AS b"
            ),
            {"at": shapes.WATCHED_SINCE, "books": BOOKS},
        )
        _shapes(conn, rules)
        conn.execute(text(f"SELECT setval('books_id_seq', {BOOKS})"))


def _shapes(conn: Connection, rules: Rules) -> None:
    conn.execute(text(CARDS))
    key = "kind int, operator int, language int, ahead int"
    conn.execute(text(f"CREATE TABLE scale_shapes ({key}, next_check_at timestamptz)"))
    conn.execute(
        text(
            f"CREATE TABLE scale_told ({key}, deadline text, deadline_on date, window_ text,"
            " channel text, due_at timestamptz, useful_until timestamptz, state text, reason text)"
        )
    )
    conn.execute(text("CREATE TABLE scale_texts (language int, channel text, subject text,"
                      " body text, segments int)"))  # fmt: skip
    found = list(shapes.shapes(rules))
    conn.execute(
        text("INSERT INTO scale_shapes VALUES (:kind, :operator, :language, :ahead, :at)"),
        [{**_key(one), "at": one.next_check_at} for one in found],
    )
    conn.execute(
        text(
            "INSERT INTO scale_told VALUES (:kind, :operator, :language, :ahead, :deadline,"
            " :deadline_on, :window, :channel, :due_at, :useful_until, :state, :reason)"
        ),
        [{**_key(one), **told} for one in found for told in one.told],
    )
    conn.execute(
        text("INSERT INTO scale_texts VALUES (:language, :channel, :subject, :body, :segments)"),
        list(texts(shapes.LANGUAGES)),
    )
    conn.execute(text("CREATE INDEX ON scale_told (kind, operator, language, ahead)"))


def _key(one: shapes.Shape) -> dict[str, Any]:
    return dict(zip(("kind", "operator", "language", "ahead"), one.key, strict=True))


def grow(engine: Engine, number: int, progress: Progress) -> float:
    """Fill in until there are ``number`` cards; returns the seconds it took."""
    began = time.perf_counter()
    with reading(engine) as conn:
        first = (
            int(
                conn.execute(
                    text("SELECT coalesce(max(id), 0) FROM cards WHERE book_id <= 1001")
                ).scalar_one()
            )
            + 1
        )
    if first > number:
        return 0.0
    for start in range(first, number + 1, _CHUNK):
        last = min(start + _CHUNK - 1, number)
        with writing(engine) as conn:
            _as_loader(conn)
            for statement in STATEMENTS:
                conn.execute(text(statement), {"first": start, "last": last, **_SAME})
        progress(f"{last:,} of {number:,} cards")
    settle(engine)
    return time.perf_counter() - began


def enter(app: App, progress: Progress) -> None:
    """What pages find the cards by, as the scheduler enters cards that were there before."""
    began = time.perf_counter()
    with writing(app.engine) as conn:
        conn.execute(text("DELETE FROM fills"))  # there are more cards now
    number = sum(Filling(app).batches())
    settle(app.engine)
    progress(f"{number:,} cards entered in {time.perf_counter() - began:.0f} s")


def _as_loader(conn: Connection) -> None:
    """Foreign keys hold by the way the rows are made: not looked up one by one."""
    conn.execute(text("SET LOCAL session_replication_role = replica"))
    conn.execute(text("SET LOCAL synchronous_commit = off"))
    conn.execute(text("SET LOCAL work_mem = '256MB'"))


def settle(engine: Engine) -> None:
    """What autovacuum does sooner or later, done now; and sequences that go on from here."""
    with writing(engine) as conn:
        for table in ("holders", "cards"):
            newest = f"(SELECT max(id) FROM {table})"  # noqa: S608
            conn.execute(text(f"SELECT setval('{table}_id_seq', {newest})"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("VACUUM (ANALYZE)"))
        conn.execute(text("CHECKPOINT"))


_SAME = {
    "since": shapes.WATCHED_SINCE,
    "today": shapes.TODAY,
    "plan_days": shapes.PLAN_DAYS,
}


def examine(engine: Engine, check: Callable[[list[int]], int], imported: str) -> Iterator[str]:
    """Compare what was filled in with what the program does; yields what was found right.

    ``check`` runs the real check on ids and returns how many notices it wrote; ``imported`` is a
    book that the real importer wrote.
    """
    with reading(engine) as conn:
        ids = list(conn.execute(text(_SAMPLE)).scalars())
        before = _next_checks(conn, ids)
    written = check(ids)
    with reading(engine) as conn:
        after = _next_checks(conn, ids)
        different = [card for card in ids if before[card] != after[card]]
        assert not different, f"a check moves {len(different)} of {len(ids)} cards"
        assert not written, f"a check writes {written} notices for what was told already"
        for table, key in (("cards", "id"), ("holders", "id"), ("card_events", "id")):
            ours, theirs = (_filled(conn, table, key, name) for name in ("large", imported))
            theirs.discard("check_asked_at")  # what is imported is not checked yet
            assert theirs <= ours, f"{table}: the importer also fills {sorted(theirs - ours)}"
    yield f"{len(ids)} cards checked: none moves, nothing is told twice"
    yield "no column is empty that the importer fills"


_SAMPLE = """
SELECT id FROM cards WHERE state = 'active' AND id IN (SELECT 1 + floor(random() * (SELECT max(id)
FROM cards WHERE book_id <= 1001))::bigint FROM generate_series(1, 600)) AND book_id <= 1001
"""


def _next_checks(conn: Connection, ids: list[int]) -> dict[int, Any]:
    found = conn.execute(
        text("SELECT id, next_check_at FROM cards WHERE id = ANY(:ids)"), {"ids": ids}
    )
    return {row.id: row.next_check_at for row in found}


def _filled(conn: Connection, table: str, key: str, book: str) -> set[str]:
    """Columns that hold something in every one of some rows of the book ``book``."""
    of_book = {
        "cards": "cards t JOIN books b ON b.id = t.book_id",
        "holders": "holders t JOIN books b ON b.id = t.book_id",
        "card_events": "card_events t JOIN cards c ON c.id = t.card_id"
        " JOIN books b ON b.id = c.book_id",
    }[table]
    where = "AND t.state = 'active'" if table == "cards" else ""
    rows = conn.execute(
        text(f"SELECT t.* FROM {of_book} WHERE b.name = :book {where} LIMIT 50"),  # noqa: S608
        {"book": book},
    ).mappings()
    found: set[str] | None = None
    for row in rows:
        filled = {name for name, value in row.items() if value is not None}
        found = filled if found is None else found & filled
    return found or set()
