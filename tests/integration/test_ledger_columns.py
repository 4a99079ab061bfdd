"""A ledger of the time when special values stood for something else goes on, and goes back."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError

from tests.integration.helpers import EMAIL, LEASE, NOW, PHONE, Carrier, World, always
from tests.integration.versions import move
from worker.content.render import Content
from worker.core.cards import Channel
from worker.core.life import LifeEvent
from worker.core.outcomes import Outcome, OutcomeKind, accepted
from worker.core.reminders import Obstacle
from worker.core.reports import Report
from worker.core.rules import Rules
from worker.pipeline.receipts import Receipts
from worker.store import migrate
from worker.store import rechecks as asked
from worker.store import suppressions as store
from worker.store.breakers import release
from worker.store.cards import claim_asked, claim_due
from worker.store.engine import open_engine, reading, writing
from worker.store.tables import attempts, cards, messages, rechecks, suppressions

BEFORE = "0014"


@pytest.fixture
def old(
    empty_url: str, sandbox: str, sandbox_clock: Path, rules: Rules, content: Content
) -> Iterator[World]:
    """A world whose database can be moved between versions."""
    engine = open_engine(empty_url)
    migrate.upgrade(engine)
    yield World(engine, sandbox, sandbox_clock, rules, content)
    engine.dispose()


def raw(world: World, query: str) -> Sequence[tuple[Any, ...]]:
    """As the rows are written, whatever the code makes of them."""
    with world.engine.connect() as conn:
        return [tuple(row) for row in conn.execute(text(query))]


def test_a_check_that_was_asked_for_before_the_move_is_still_due_at_once(old: World) -> None:
    new = old.card()
    later = old.card(next_check_at=NOW + timedelta(days=3))
    never = old.card(next_check_at=None)
    rows = old.rows(cards)
    move(old.engine, BEFORE)
    years = "SELECT substr(CAST(next_check_at AS VARCHAR(40)), 1, 4) FROM cards ORDER BY id"
    assert raw(old, years) == [("1970",), ("2026",), (None,)]
    move(old.engine, "head")
    assert old.rows(cards) == rows
    with writing(old.engine) as conn:
        assert claim_due(conn, NOW, 10, LEASE) == []
        assert [one.card for one in claim_asked(conn, NOW, 10, LEASE)] == [new]
    assert {row.id for row in old.rows(cards) if row.check_since is None} == {later, never}


def test_what_concerns_no_single_card_or_all_books_names_none(old: World) -> None:
    """And is known to be there already: said again, it does not stand there twice."""
    one = old.card()
    for card_id in (None, one):
        suppress(old, card_id)
    for book in (None, old.book()):
        recheck(old, book)
    tables = [old.rows(suppressions), old.rows(rechecks)]
    move(old.engine, BEFORE)
    assert raw(old, "SELECT card_id FROM suppressions ORDER BY id") == [(0,), (one,)]
    assert raw(old, "SELECT book_id FROM rechecks ORDER BY book_id") == [(0,), (old.book(),)]
    move(old.engine, "head")
    assert [old.rows(suppressions), old.rows(rechecks)] == tables
    assert [suppress(old, card_id) for card_id in (None, one)] == [[], []]
    for book in (None, old.book()):
        recheck(old, book)
    assert [row.book_id for row in old.rows(rechecks)] == [None, old.book()]
    with reading(old.engine) as conn:
        found = store.reasons(conn, Channel.SMS, [PHONE])
        assert store.lifted_since(conn, Channel.SMS, PHONE, NOW - LEASE) is False
    assert found == {(PHONE, None): "opted_out", (PHONE, one): "opted_out"}
    with pytest.raises(IntegrityError), writing(old.engine) as conn:
        conn.execute(insert(suppressions).values(NO_CARD))


NO_CARD = {"channel": "sms", "address": EMAIL, "card_id": 0, "reason": "x", "created_at": NOW}


def suppress(world: World, card_id: int | None) -> list[str]:
    with writing(world.engine) as conn:
        found = {PHONE: "opted_out"}
        return store.add(conn, Channel.SMS, found, NOW, source="link", card_id=card_id)


def recheck(world: World, book_id: int | None) -> None:
    with writing(world.engine) as conn:
        assert asked.ask(conn, book_id, NOW) == 1


def test_that_a_number_was_recycled_is_no_providers_word_any_more(old: World) -> None:
    old.live(old.card(msisdn=PHONE), LifeEvent.RECYCLED)
    old.suppress(Channel.SMS, "+51900000009", "twilio:30005")
    move(old.engine, BEFORE)
    sources = "SELECT reason, source FROM suppressions ORDER BY id"
    assert raw(old, sources) == [("recycled", "provider"), ("twilio:30005", "provider")]
    move(old.engine, "head")
    assert raw(old, sources) == [("recycled", "event"), ("twilio:30005", "provider")]


# State, reason, and the obstacle and fault that they stood for.
WAITED = [
    ("pending", "pace", "pace", None),
    ("pending", "daily_cap", "cap", None),
    ("pending", "cap:spend", "cap", None),
    ("retryable", "quiet_hours", "hours", None),
    ("pending", "gathering", "gathering", None),
    ("held", "breaker:twilio:20003", "breaker", "twilio:20003"),
    ("held", "twilio:21606", None, "twilio:21606"),
    ("held", "template_failed", None, None),
    ("pending", None, None, None),
    ("cancelled", "breaker:twilio:20003", None, None),
]


def test_what_a_message_waited_for_by_its_reason_it_still_waits_for(old: World) -> None:
    old.people(len(WAITED))
    for row, (state, reason, *_) in zip(old.rows(messages), WAITED, strict=True):
        ended = {"wake_at": None} if state == "cancelled" else {}
        old.change(messages, row.id, state=state, reason=reason, **ended)
    move(old.engine, BEFORE)
    move(old.engine, "head")
    rows = old.rows(messages)
    assert [(row.state, row.reason, row.obstacle, row.fault) for row in rows] == WAITED


def test_what_a_breaker_held_before_the_move_goes_when_it_closes(old: World) -> None:
    phones = old.people(3)
    fault = Outcome(OutcomeKind.CONFIG_FAULT, "twilio:20003", alarm=True)
    old.send(NOW, Channel.SMS, providers={Channel.SMS: always(fault)}, in_flight=1)
    before, opened = old.rows(messages), old.open_breakers()
    assert {row.obstacle for row in before if row.channel == Channel.SMS} == {Obstacle.BREAKER}
    move(old.engine, BEFORE)
    move(old.engine, "head")
    assert (old.rows(messages), old.open_breakers()) == (before, opened)
    assert [(one.channel, one.held) for one in opened] == [(Channel.SMS, len(phones))]
    with writing(old.engine) as conn:
        assert release(conn, opened[0], NOW, 10) == len(phones)


def test_how_far_an_attempt_had_come_is_still_known(old: World) -> None:
    """By what three columns said together. A report that comes again changes nothing then."""
    phones = old.people(4)
    ends = {
        phones[0]: accepted("SM-taken"),
        phones[1]: accepted("SM-arrived"),
        phones[2]: accepted("SM-failed"),
        phones[3]: Outcome(OutcomeKind.TRANSIENT, "twilio:20429"),
    }

    async def answer(out: Any) -> Outcome:
        return ends[out.to]

    old.send(NOW, Channel.SMS, providers={Channel.SMS: Carrier(answer)})
    reports = [
        Report("twilio", f"{name}:{status}", status, None, name, code, None)
        for name, status, code in (
            ("SM-arrived", "delivered", None), ("SM-failed", "undelivered", "30007")
        )
    ]  # fmt: skip
    desk = Receipts(old.engine, old.retry)
    desk.take(reports, NOW)
    before = old.rows(attempts)
    found = {row.address: row.phase for row in before}
    assert [found[phone] for phone in phones] == ["taken", "delivered", "failed", "open"]
    move(old.engine, BEFORE)
    move(old.engine, "head")
    assert sorted(old.rows(attempts)) == sorted(before)
    late = Report("twilio", "late", "delivered", None, "SM-taken", None, None)
    desk.take([late, *reports], NOW + LEASE)
    phases = [row.phase for row in old.rows(attempts)]
    assert sorted(phases) == ["delivered", "delivered", "failed", "open"]
    with pytest.raises(IntegrityError):
        old.change(attempts, None, provider_id=None)
