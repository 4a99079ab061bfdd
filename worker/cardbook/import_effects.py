"""What follows from an import for the messages: what is no longer true ends, renewals are told."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

from sqlalchemy import Connection

from worker.core.hours import local_day
from worker.core.life import LifeNotice
from worker.core.reminders import RENEWED, ReminderState
from worker.core.rules import Rules
from worker.pipeline import endings
from worker.pipeline.events import tell
from worker.store import books as book_store
from worker.store import cards as card_store
from worker.store.bulk import BATCH, batched

_REASSIGNED = "reassigned"


def end_waiting(
    conn: Connection,
    book_id: int,
    renewed: Collection[int],
    reassigned: Collection[int],
    now: datetime,
) -> None:
    """End all that waits for cards that were renewed or went to another holder, as the events
    entered by hand do."""
    if not renewed and not reassigned:
        return
    ended: dict[str, list[int]] = defaultdict(list)
    for reminder, card in book_store.waiting_reminders(conn, book_id):
        if card in reassigned:
            ended[_REASSIGNED].append(reminder)
        elif card in renewed:
            ended[RENEWED].append(reminder)
    for reason, ids in ended.items():
        for some in batched(ids):
            endings.end(conn, some, ReminderState.SUPERSEDED, reason, now)


def tell_renewals(
    conn: Connection, rules: Rules, cards: Iterable[tuple[int, int]], now: datetime
) -> None:
    """Owe the holders of renewed cards, given as (holder id, card id), the checklist: one message
    for all cards of a holder, and none to the guardian, from whom the import comes."""
    for ids in _by_holder(sorted(cards)):
        owed = [
            (one, LifeNotice.RENEWAL_RECORDED, local_day(now, one.card.time_zone))
            for one in card_store.load(conn, ids).values()
        ]
        tell(conn, rules, owed, now, guardian=False)


def _by_holder(cards: Iterable[tuple[int, int]]) -> Iterator[list[int]]:
    """Card ids in batches that never part the cards of one holder."""
    batch: list[int] = []
    before = None
    for holder, card in cards:
        if len(batch) >= BATCH and holder != before:
            yield batch
            batch = []
        batch.append(card)
        before = holder
    if batch:
        yield batch
