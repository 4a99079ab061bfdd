"""What the clock finds out about a card: a renewal nobody has answered for, and the card's end.

The same as ``worker.pipeline.events`` does in the database, on the ledger in memory.
"""

from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

from worker.core.addressing import ways
from worker.core.cards import Card
from worker.core.life import Effect, Happening, LifeEvent, LifeNotice
from worker.core.life_effects import happen
from worker.core.recheck import Item
from worker.core.reminders import Known, Planned, ReminderKey, ReminderState
from worker.core.rules import Rules
from worker.simulation.memory import Memory
from worker.simulation.post import HolderOutbox

# The store keeps more of a card than the rules ask for.
_FIELDS = frozenset(field.name for field in fields(Card))
# What happened comes before what will.
_URGENCY = (-1, 0)


def find(
    event: LifeEvent, card: Card, memory: Memory, post: HolderOutbox, rules: Rules, now: datetime
) -> Card:
    """Let ``event``, which the clock has found, happen to ``card``, and tell the holder of it.

    Returns the card as it is from ``now`` on.
    """
    effect = happen(card, Happening(event), now)
    changed = _apply(card, effect, memory, now)
    _tell(changed, effect, memory, post, rules, now)
    return changed


def close(card: Card, memory: Memory, now: datetime) -> None:
    """Close ``card``, whose number may be a stranger's: nothing more is owed."""
    _apply(card, happen(card, Happening(LifeEvent.CLOSED), now), memory, now)


def _apply(card: Card, effect: Effect, memory: Memory, now: datetime) -> Card:
    for known in [k for k in memory.known[card.id].values() if _ended(k, effect)]:
        item = Item(known.id, known.key, known.due_at, known.due_at, card)
        memory.end(item, ReminderState.SUPERSEDED, effect.reason, now)
    changes: dict[str, Any] = {k: v for k, v in effect.changes.items() if k in _FIELDS}
    memory.cards[card.id] = replace(card, **changes)
    return memory.cards[card.id]


def _ended(known: Known, effect: Effect) -> bool:
    if known.state is not ReminderState.PENDING:
        return False
    subject = known.key.deadline
    return subject in effect.ends if isinstance(subject, LifeNotice) else effect.ends_deadlines


def _tell(
    card: Card, effect: Effect, memory: Memory, post: HolderOutbox, rules: Rules, now: datetime
) -> None:
    """A message of its own for each destination of the notice, once for its day."""
    if effect.notice is None or effect.on is None:
        return
    due_at = rules.hours.next_open(now, memory.holder.time_zone)
    until = due_at + timedelta(days=rules.policies[card.kind].useful_days)
    for to, unreachable in ways(card, memory.holder, rules.events[effect.notice], rules.routes):
        key = ReminderKey(effect.notice, effect.on, "event", to.channel, to.audience)
        if not memory.is_free(card, key):
            continue
        item = memory.plan(card, Planned(key, due_at, until, _URGENCY))
        if unreachable:
            memory.end(item, ReminderState.SUPPRESSED, "no_address", now)
        else:
            post.put(due_at, to, [item])
