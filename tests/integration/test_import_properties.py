"""Whatever a book and its later versions hold, the counts add up and the store is as told."""

import csv
import itertools
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, Row, select

from tests.integration.helpers import NOW, TODAY, WANTED
from tests.vocabulary import VOCABULARY
from worker.cardbook.changes import FIELDS
from worker.cardbook.importer import Result, import_book
from worker.cardbook.options import ReadOptions
from worker.cardbook.parse import read_cardbook
from worker.cardbook.rows import CardBook, CardRow
from worker.core.rules import Rules
from worker.store.engine import open_engine, reading
from worker.store.tables import books, card_events, cards, holders, reminders

HEADER = "celular,iccid,operador,tipo,vence,última recarga,titular,correo,notas"
_NAMES = itertools.count()


@dataclass(frozen=True)
class Version:
    """A version of the file, and how it is imported."""

    lines: tuple[tuple[str, ...], ...]
    apply: bool
    skip_bad: bool


@st.composite
def _line(draw: st.DrawFn) -> tuple[str, ...]:
    card = draw(st.integers(0, 5))
    number, chip = f"90000000{card}", f"895100000000000000{card}"
    # A card is known by both, by one of them, or its chip was replaced.
    told = draw(st.sampled_from([(number, chip)] * 4 + [(number, ""), ("", chip)]))
    if draw(st.integers(0, 9)) == 0:
        told = (number, f"895100000000000001{card}")
    ends = str(TODAY + timedelta(days=draw(st.sampled_from([-40, 5, 35, 65]))))
    topup = draw(st.sampled_from(["", str(TODAY - timedelta(days=20)), str(TODAY)]))
    holder = draw(st.sampled_from(["", "Rosa", "Luis"]))
    email = draw(st.sampled_from(["", "a@example.com", "b@example.com"]))
    line = [*told, "claro", "data", ends, topup, holder, email, draw(st.sampled_from(["", "x"]))]
    spoiled = draw(st.sampled_from([None] * 8 + [0, 1, 2, 4, 7]))
    if spoiled is not None:
        line[spoiled] = "?!"
    return tuple(line)


versions = st.lists(
    st.builds(
        Version,
        lines=st.lists(_line(), min_size=1, max_size=8).map(tuple),
        apply=st.sampled_from([True, True, True, False]),
        skip_bad=st.sampled_from([True, True, False]),
    ),
    min_size=1,
    max_size=4,
)


@pytest.fixture(scope="module")
def store(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    path = tmp_path_factory.mktemp("properties") / "vigencia.db"
    shutil.copy(migrated_sqlite, path)
    engine = open_engine(f"sqlite:///{path}")
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("books")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(versions)
def test_every_row_is_counted_once_and_the_store_holds_what_was_told(
    store: Engine, folder: Path, rules: Rules, several: list[Version]
) -> None:
    name = f"book {next(_NAMES)}"
    for number, version in enumerate(several):
        now = NOW + timedelta(days=number)
        book = _read(folder, version)
        before = _rows(store, name)
        dry = _import(store, book, name, rules, now, apply=False, skip_bad=version.skip_bad)
        assert _rows(store, name) == before
        done = _import(store, book, name, rules, now, version.apply, version.skip_bad)
        assert _counts(dry) == _counts(done)
        assert dry.missing == done.missing
        assert done.created + done.changed + done.unchanged + done.refused == book.total
        assert done.applied == (version.apply and (version.skip_bad or not done.refused))
        after = _rows(store, name)
        if not done.applied:
            assert after == before
            continue
        event(f"applied, refused: {bool(done.refused)}, changed: {bool(done.changed)}")
        _holds(after, before, done, now)
        again = _import(store, book, name, rules, now + timedelta(hours=1), True, True)
        assert (again.created, again.changed, again.told) == (0, 0, 0)
        assert _rows(store, name) == after


def _holds(after: dict[str, Any], before: dict[str, Any], done: Result, now: datetime) -> None:
    """The store is what ``done`` told that it is."""
    rows, found = done.book.rows, after["cards"]
    assert len(found) == len(before["cards"]) + done.created
    touched = [card for card in found if card.updated_at == now]
    assert len(touched) == done.created + done.changed == sum(done.actions.values())
    told = Counter(e.event for e in after["events"] if e.at == now)
    expected = Counter({str(action): count for action, count in done.actions.items() if count})
    assert told == Counter({{"created": "imported"}.get(k, k): v for k, v in expected.items()})
    people = {holder.id: holder for holder in after["holders"]}
    values = Counter(_of_card(card, people[card.holder_id]) for card in found)
    assert not Counter(map(_of_row, rows)) - values
    chips = [card.iccid for card in found if card.iccid]
    assert len(chips) == len(set(chips))
    unnamed = len(found) - len(rows) - len(done.missing)
    assert unnamed == 0 if not done.refused else unnamed >= 0
    owed = {e.card_id for e in after["reminders"] if e.created_at == now}
    assert len(owed) == done.told


def _of_row(row: CardRow) -> tuple[Any, ...]:
    return (*(getattr(row, name) for name in FIELDS), row.holder, row.email)


def _of_card(card: Row[Any], holder: Row[Any]) -> tuple[Any, ...]:
    return (*(getattr(card, name) for name in FIELDS), holder.name, holder.email)


def _counts(result: Result) -> tuple[Any, ...]:
    return (
        result.created,
        result.changed,
        result.unchanged,
        result.refused,
        result.actions,
        result.told,
        result.changes,
    )


def _read(folder: Path, version: Version) -> CardBook:
    path = folder / "book.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER.split(","), *version.lines])
    return read_cardbook(path, ReadOptions(), VOCABULARY)


def _import(
    engine: Engine,
    book: CardBook,
    name: str,
    rules: Rules,
    now: datetime,
    apply: bool,
    skip_bad: bool,
) -> Result:
    keep = (lambda _: Path("kept.xlsx")) if skip_bad else None
    return import_book(engine, book, name, WANTED, now, rules=rules, apply=apply, keep_refused=keep)


def _rows(engine: Engine, name: str) -> dict[str, Sequence[Row[Any]]]:
    """Everything the store has of one book."""
    own = select(books.c.id).where(books.c.name == name).scalar_subquery()
    its_cards = select(cards.c.id).where(cards.c.book_id == own)
    queries = {
        "books": select(books).where(books.c.name == name),
        "holders": select(holders).where(holders.c.book_id == own).order_by(holders.c.id),
        "cards": select(cards).where(cards.c.book_id == own).order_by(cards.c.id),
        "events": select(card_events).where(card_events.c.card_id.in_(its_cards)),
        "reminders": select(reminders).where(reminders.c.card_id.in_(its_cards)),
    }
    with reading(engine) as conn:
        return {what: conn.execute(query).all() for what, query in queries.items()}
