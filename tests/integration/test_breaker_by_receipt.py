"""Faults that only receipts show: the call is taken, and refused behind it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from structlog.testing import capture_logs

from tests.integration.helpers import NOW, causes, explained
from tests.integration.real_path import LATER, SMS, Told, Walk, all_told, reported
from tests.integration.sandbox_helpers import set_faults
from worker.core.breaker import BreakerPolicy
from worker.core.outcomes import OutcomeKind
from worker.core.reminders import MessageState, ReminderState
from worker.store import attempts as attempt_store
from worker.store import breakers as breaker_store
from worker.store import recent_attempts
from worker.store.breakers import Breaker
from worker.store.engine import reading
from worker.store.tables import attempts, cards, holders, messages

HELD, SENT = MessageState.HELD, MessageState.SENT
PROBE = BreakerPolicy().probe
UNREGISTERED = 30034
# With their reports: a text that fails is told of twice (queued, failed), any other thrice.
FAILS, ARRIVES = 2, 3


def fail(walk: Walk, told: Sequence[Told], code: int = UNREGISTERED) -> None:
    """Texts to these are taken, and refused behind the call."""
    rule = {"channel": "sms", "kind": "failed", "code": code}
    set_faults(walk.world.sandbox, *({**rule, "to": one.address} for one in told))


def deliver(walk: Walk, told: Sequence[Told], now: datetime, reports: int) -> dict[str, int]:
    """Send to them at ``now``, and take that many reports a second later."""
    with reported(walk, now + timedelta(seconds=1)):
        done = walk.deliver(SMS, [one.message for one in told], now)
        all_told(walk, reports)
    return dict(done)


def only(walk: Walk) -> Breaker:
    with reading(walk.world.engine) as conn:
        [found] = breaker_store.open_ones(conn)
    return found


def test_a_fault_that_a_receipt_shows_holds_the_others_until_one_has_arrived(walk: Walk) -> None:
    told = walk.people(SMS, 3)
    fail(walk, told[:1])
    with capture_logs() as logs:
        assert deliver(walk, told[:1], NOW, FAILS) == {SENT: 1}
    assert causes(logs) == [OutcomeKind.CONFIG_FAULT]
    assert walk.breakers() == [("sms/twilio/PE/+1…0006", f"twilio:{UNREGISTERED}")]
    assert walk.deliver(SMS, now=LATER) == {}
    assert {left.state for left in walk.ledgers(told)} == {HELD}
    assert {left.attempts for left in walk.ledgers(told)} == {0}
    assert only(walk).held == 3

    # One is tried; it is taken, and refused behind the call again.
    fail(walk, told)
    at = only(walk).probe_at + timedelta(seconds=1)
    with capture_logs() as logs:
        assert deliver(walk, told, at, 2 * FAILS) == {SENT: 1}
    assert causes(logs) == [OutcomeKind.CONFIG_FAULT]
    again = only(walk)
    assert (again.failures, again.held) == (2, 3)
    assert again.probe_at >= at + BreakerPolicy().pause(2)

    # The next arrives: the others are due at once.
    set_faults(walk.world.sandbox)
    at = again.probe_at + timedelta(seconds=1)
    walk.world.change(messages, next_attempt_at=at, wake_at=at)  # all are looked at together
    assert deliver(walk, told, at, 2 * FAILS + ARRIVES) == {SENT: 1}
    assert walk.breakers() == []
    assert walk.deliver(SMS, now=at + timedelta(seconds=2)) == {SENT: 2}
    assert {left.attempts for left in walk.ledgers(told)} == {1}


def test_where_nothing_bad_is_heard_of_the_one_that_is_tried_the_fault_is_over(walk: Walk) -> None:
    [first, *_] = walk.people(SMS, 4)
    fail(walk, [first])
    deliver(walk, [first], NOW, FAILS)
    set_faults(walk.world.sandbox)
    walk.deliver(SMS, now=LATER)
    at = only(walk).probe_at + timedelta(seconds=1)
    assert walk.deliver(SMS, now=at) == {SENT: 1}
    assert len(walk.breakers()) == 1, "that it was taken shows nothing"
    assert walk.deliver(SMS, now=at + PROBE / 2) == {}
    woken = walk.world.wake(at + PROBE + timedelta(seconds=5))
    assert len(woken.send[SMS]) == 1, "somebody looks again"
    after = at + PROBE + timedelta(seconds=5)
    assert walk.deliver(SMS, woken.send[SMS], after) == {SENT: 1}
    assert walk.breakers() == []
    assert walk.deliver(SMS, now=after + timedelta(seconds=1)) == {SENT: 2}


def test_one_filtered_text_is_lost_alone_and_a_rate_of_them_closes_the_way(walk: Walk) -> None:
    filtered, fine, last, waits = (walk.people(SMS, n) for n in (4, 15, 1, 2))
    abroad = walk.people(SMS, 1)
    fail(walk, [*filtered, *last], 30007)
    reports = 4 * FAILS + 15 * ARRIVES
    with capture_logs() as logs:
        assert deliver(walk, [*filtered, *fine], NOW, reports) == {SENT: 19}
    assert causes(logs) == ["message_dead", "reminder_missed"] * 4
    assert walk.breakers() == [], "too few to tell"
    with capture_logs() as logs:
        deliver(walk, last, LATER, reports + FAILS)
    assert sorted(causes(logs)) == ["carrier_filters", "message_dead", "reminder_missed"]
    assert walk.breakers() == [("sms/twilio/PE/+1…0006", "twilio:30007")]
    for left in walk.ledgers([*filtered, *last]):
        assert left.reminder == (ReminderState.MISSED, "twilio:30007")
        assert left.fallback == ((ReminderState.PENDING, None),)
    assert walk.deliver(SMS, [one.message for one in waits], LATER + PROBE / 2) == {}
    assert {left.reason for left in walk.ledgers(waits)} == {"breaker:twilio:30007"}
    # Another country goes another way.
    [card] = [row for row in walk.world.rows(cards) if row.id == abroad[0].card]
    walk.world.change(holders, card.holder_id, contact_phone="+8613812345678")
    assert walk.deliver(SMS, [abroad[0].message], LATER + PROBE / 2) == {SENT: 1}


def test_the_last_texts_of_a_way_are_found_by_an_index(walk: Walk) -> None:
    deliver(walk, walk.people(SMS, 3), NOW, 3 * ARRIVES)
    with reading(walk.world.engine) as conn:
        one = attempt_store.tried(conn, walk.world.rows(attempts)[0].id)
        assert one is not None

        def ask() -> Sequence[Any]:
            return recent_attempts.latest_ends(conn, one, "+51", NOW)

        assert len(ask()) == 3
        assert "ix_attempts_started_at" in explained(conn, ask)
    assert {row.state for row in walk.world.rows(messages)} == {MessageState.DELIVERED}
