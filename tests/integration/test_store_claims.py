"""Claims: whatever runs at once, every row is taken by one, and none is lost."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine, func, select

from tests.integration.helpers import LEASE, NOW, World, flat, run_together
from tests.patience import patient
from worker.core.cards import Channel
from worker.core.reminders import MessageState
from worker.core.retry import Next
from worker.pipeline.delivery.results import Taken, sent
from worker.store import cards as card_store
from worker.store import message_states, outbox
from worker.store import messages as message_store
from worker.store import reminder_changes as ledger
from worker.store.engine import open_engine, reading, writing
from worker.store.messages import NewMessage
from worker.store.outbox import MessageContent, OutgoingMessage
from worker.store.tables import books, cards, messages

THREADS = 4
MANY = 1_200
SMS = Channel.SMS


@pytest.fixture
def crowd(world: World) -> list[int]:
    """Many due messages of many holders, by their ids."""
    return make(world, MANY)


def make(world: World, count: int, due: datetime = NOW) -> list[int]:
    book, holder = world.book(), world.holder()
    new = [NewMessage(book, holder, SMS, due, due + timedelta(days=1)) for _ in range(count)]
    with writing(world.engine) as conn:
        return message_store.create(conn, new, due, timedelta())


def at_once(work: Callable[[int], list[int]]) -> list[list[int]]:
    """Run ``work(n)`` in several threads that start together."""
    start = threading.Barrier(THREADS)

    def one(number: int) -> list[int]:
        start.wait(patient(10))
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(one, range(THREADS)))


def claim_cards(engine: Engine, now: datetime, limit: int) -> list[int]:
    with writing(engine) as conn:
        due = card_store.claim_due(conn, now, limit, LEASE)
        due += card_store.claim_asked(conn, now, limit - len(due), LEASE)
        return [one.card for one in due]


def claim(engine: Engine, ids: Sequence[int], now: datetime = NOW) -> list[OutgoingMessage]:
    """Claim them, and begin to send what was claimed."""
    with writing(engine) as conn:
        all_outgoing = outbox.claim(conn, SMS, ids, now)
        rows = [
            MessageContent(
                row_id=one.id, attempts=one.attempts + 1, subject=None, body="text", segments=1
            )
            for one in all_outgoing
        ]
        outbox.begin(conn, rows, now + LEASE)
    return all_outgoing


def test_many_schedulers_claim_each_due_card_once(world: World) -> None:
    wanted = world.cards(MANY)

    def work(_: int) -> list[int]:
        taken: list[int] = []
        while (batch := claim_cards(world.engine, NOW, 50)) and len(taken) <= MANY:
            taken += batch
        return taken

    taken = at_once(work)
    assert sorted(flat(taken)) == sorted(wanted)


def test_many_workers_claim_each_message_once(world: World, crowd: list[int]) -> None:
    def work(number: int) -> list[int]:
        taken: list[int] = []
        # Each goes through all of them, from a place of its own.
        for start in range(0, MANY, 100):
            first = (start + number * 300) % MANY
            taken += [outgoing.id for outgoing in claim(world.engine, crowd[first : first + 100])]
        return taken

    taken = at_once(work)
    counts = Counter(flat(taken))
    assert max(counts.values()) == 1, "a message was claimed twice"
    # SKIP LOCKED may pass by what another holds at that moment; nobody else takes that away.
    rest = {outgoing.id for outgoing in claim(world.engine, crowd)}
    assert counts.keys() | rest == set(crowd)
    assert not counts.keys() & rest
    assert {row.state for row in world.rows(messages)} == {MessageState.SENDING}


def test_many_schedulers_wake_each_message_once(world: World, crowd: list[int]) -> None:
    def work(_: int) -> list[int]:
        taken: list[int] = []
        while len(taken) <= MANY:
            with writing(world.engine) as conn:
                woken = message_store.wake(conn, NOW, 100, LEASE, LEASE)
            if not woken:
                break
            taken += woken.send[SMS]
        return taken

    assert sorted(flat(at_once(work))) == sorted(crowd)


def test_many_processes_change_one_row_and_no_change_is_lost(world: World) -> None:
    """Read, then update: with a deferred BEGIN, SQLite loses such changes or refuses them."""
    book = world.book()
    url = world.engine.url.render_as_string(hide_password=False)
    done = run_together(_ADD_ONE, url, str(book))
    assert [code for code, _ in done] == [0, 0, 0], done
    with reading(world.engine) as conn:
        [signature] = conn.execute(select(books.c.signature).where(books.c.id == book)).scalars()
    assert int(signature) == 3 * 40


_ADD_ONE = """
import sys
from sqlalchemy import select, update
from worker.store.engine import open_engine, writing
from worker.store.tables import books
engine, book = open_engine(sys.argv[1]), int(sys.argv[2])
def add_one():
    with writing(engine) as conn:
        row = select(books.c.signature).where(books.c.id == book).with_for_update()
        text = conn.execute(row).scalar()
        seen = int(text) if text.isdigit() else 0
        conn.execute(update(books).where(books.c.id == book).values(signature=str(seen + 1)))
for _ in range(40): add_one()
"""


def test_a_claimed_card_is_due_again_when_its_lease_is_over(world: World) -> None:
    [card] = world.cards(1)
    assert claim_cards(world.engine, NOW, 10) == [card]
    assert claim_cards(world.engine, NOW, 10) == []
    assert claim_cards(world.engine, NOW + LEASE - timedelta(seconds=1), 10) == []
    assert claim_cards(world.engine, NOW + LEASE, 10) == [card]


def test_cards_are_claimed_by_due_time_and_handed_out_by_holder(world: World) -> None:
    one, two = world.holder(), world.holder(name="Luis Paz")
    due = {}
    for minutes, holder in ((1, two), (2, one), (3, two), (4, one)):
        at = NOW - timedelta(minutes=minutes)
        due[minutes] = world.card(holder, next_check_at=at)
    assert claim_cards(world.engine, NOW, 2) == [due[4], due[3]]
    assert claim_cards(world.engine, NOW, 2) == [due[2], due[1]]


def test_a_card_that_is_due_and_was_changed_is_handed_out_once(world: World) -> None:
    """And late since it fell due, whoever takes it."""
    for claim_one in (card_store.claim_due, card_store.claim_asked):
        card = world.card(next_check_at=NOW - LEASE, check_asked_at=NOW)
        with writing(world.engine) as conn:
            assert [one.card for one in claim_one(conn, NOW, 10, LEASE)] == [card]
        assert claim_cards(world.engine, NOW, 10) == []
        [row] = [row for row in world.rows(cards) if row.id == card]
        assert (row.check_since, row.next_check_at) == (NOW - LEASE, NOW + LEASE)


def test_what_was_changed_after_it_was_handed_out_is_checked_as_it_is_then(world: World) -> None:
    card = world.card(next_check_at=NOW)
    assert claim_cards(world.engine, NOW, 10) == [card]
    with writing(world.engine) as conn:
        card_store.change(conn, card, {"paused": True}, NOW)
    world.check(NOW, [card])
    [row] = world.rows(cards)
    assert (row.check_since, row.check_asked_at) == (None, None)
    assert claim_cards(world.engine, NOW, 10) == []


def test_what_is_not_due_is_not_claimed(world: World) -> None:
    world.card(next_check_at=NOW + timedelta(seconds=1))
    world.card(next_check_at=None)
    assert claim_cards(world.engine, NOW, 10) == []
    late = make(world, 1, NOW + timedelta(seconds=1))
    assert claim(world.engine, late) == []
    assert [p.id for p in claim(world.engine, late, NOW + timedelta(seconds=1))] == late


ENDED = [s for s in MessageState if s not in ("pending", "retryable", "held")]


@pytest.mark.parametrize("state", ENDED)
def test_only_a_waiting_message_can_be_claimed(world: World, state: MessageState) -> None:
    ids = make(world, 1)
    world.change(messages, state=state)
    assert claim(world.engine, ids) == []
    assert world.message(SMS).state == state


def test_a_claim_is_for_its_own_channel(world: World) -> None:
    ids = make(world, 1)
    with writing(world.engine) as conn:
        assert outbox.claim(conn, Channel.EMAIL, ids, NOW) == []


def test_a_lease_that_ran_out_makes_the_message_unknown_not_waiting(world: World) -> None:
    ids = make(world, 1)
    claim(world.engine, ids)
    woken = world.wake(NOW + LEASE)
    assert (woken.expired, woken.send, woken.reconcile) == (ids, {}, [])
    message = world.message(SMS)
    assert message.state == MessageState.UNKNOWN
    assert message.wake_at == NOW + LEASE + world.retry.park


def test_a_rolled_back_claim_leaves_everything_as_it_was(world: World) -> None:
    ids = make(world, 3)

    def broken() -> None:
        with writing(world.engine) as conn:
            assert outbox.claim(conn, SMS, ids, NOW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    assert [outgoing.id for outgoing in claim(world.engine, ids)] == ids


def test_who_changes_a_message_with_an_old_count_changes_nothing(world: World) -> None:
    [message] = make(world, 1)
    claim(world.engine, [message])

    def fail(conn: Connection, count: int, again: datetime | None) -> None:
        change = message_states.becomes(message, count, Next(MessageState.FAILED, again, "x"))
        message_states.set_states(conn, [change])

    with writing(world.engine) as conn:
        fail(conn, 0, None)
        fail(conn, 7, NOW)
    assert world.message(SMS).state == MessageState.SENDING
    with writing(world.engine) as conn:
        fail(conn, 1, None)
    changed = world.message(SMS)
    assert (changed.state, changed.reason, changed.wake_at) == (MessageState.FAILED, "x", None)


def test_a_message_makes_no_change_that_is_not_in_the_table_of_states(world: World) -> None:
    [message] = make(world, 1)
    claim(world.engine, [message])
    change = message_states.becomes(message, 1, Next(MessageState.CANCELLED, None, None))
    with writing(world.engine) as conn, pytest.raises(ValueError, match="sending cannot become"):
        message_states.set_states(conn, [change])
    with writing(world.engine) as conn:
        message_states.set_undelivered(conn, message, Next(MessageState.UNDELIVERED, None, "x"))
    assert world.message(SMS).state == MessageState.SENDING
    with writing(world.engine) as conn:
        message_states.set_delivered(conn, message, "SM1", NOW)
        sent(conn, [Taken(message, SMS, "SM2", NOW)], world.retry)
    assert world.message(SMS).state == MessageState.DELIVERED


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)  # SQLite: one writer at a time
def test_a_card_under_check_is_left_out_by_a_second_check(world: World) -> None:
    first, second = world.cards(2)
    with writing(world.engine) as conn:
        assert [w.card.id for w in card_store.lock(conn, [first])] == [first]
        with writing(world.engine) as other:
            assert [w.card.id for w in card_store.lock(other, [first, second])] == [second]


def test_a_reader_waits_for_no_writer(world: World) -> None:
    world.card()
    with writing(world.engine) as conn:
        conn.execute(cards.update().values(note="not yet committed"))
        with reading(world.engine) as other:
            assert other.execute(select(cards.c.note)).scalar() is None
    with reading(world.engine) as other:
        assert other.execute(select(cards.c.note)).scalar() == "not yet committed"


def test_the_ledger_takes_each_reminder_once_however_many_write_it(world: World) -> None:
    [card] = world.cards(1)
    with reading(world.engine) as conn:
        watched = card_store.load(conn, [card])[card]
    planned = world.rules.evaluate(watched.card, watched.holder, NOW).planned
    rows = [ledger.as_row(card, one, None, NOW) for one in planned]

    def work(_: int) -> list[int]:
        with writing(world.engine) as conn:
            return [0] * len(ledger.insert_new(conn, rows))

    assert sum(map(len, at_once(work))) == len(rows) == 2


def test_an_engine_of_another_process_sees_the_same_rows(world: World) -> None:
    world.cards(3)
    other = open_engine(world.engine.url.render_as_string(hide_password=False))
    with reading(other) as conn:
        assert conn.execute(select(func.count()).select_from(cards)).scalar() == 3
    other.dispose()
