"""What a provider's word does, in an answer or a report: what is told, given up, or goes over."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog
from sqlalchemy import Connection

from worker.core.cards import Audience, Channel, told_by
from worker.core.lifecycle import check
from worker.core.recheck import Item
from worker.core.reminders import MessageState, ReminderState
from worker.core.retry import RetryPolicy
from worker.pipeline import endings
from worker.pipeline.delivery.fallback import fall_back
from worker.providers.registry import is_opt_out
from worker.store import message_states, suppressions
from worker.store.committed import after_commit
from worker.store.message_states import Held, SentMessage
from worker.store.outbox import OutgoingMessage

log = structlog.get_logger(__name__)

# How long a provider's word that an address is dead holds. Numbers are given to others, mailboxes
# are opened again, and providers err: after that it is tried once more.
_DEAD_FOR = timedelta(days=90)


class Taken(NamedTuple):
    """A provider has a message since ``at``, under its id of it."""

    message: int
    channel: Channel
    provider_id: str
    at: datetime
    audience: Audience = Audience.HOLDER


def sent(
    conn: Connection,
    taken: Sequence[Taken],
    policy: RetryPolicy,
    held: Mapping[int, Held] | None = None,
    begun: datetime | None = None,
) -> None:
    """Providers have these messages: their reminders are told. Where one is known to be taken under
    another id, the first one stays, and it was sent twice.

    ``held``: the messages as this transaction holds them; ``begun``: when the attempts began that
    were taken (default: the last of each message).
    """
    if not taken:
        return
    held = held or message_states.hold(conn, {one.message for one in taken})
    names = {message: one.provider_id for message, one in held.items()}
    taken = [one for one in taken if one.message in held]  # the others were removed meanwhile
    check({held[o.message].state for o in taken if names[o.message] is None}, MessageState.SENT)
    rows: list[SentMessage] = []
    told: list[int] = []
    for message, channel, provider_id, at, audience in taken:
        if names[message] is None:
            names[message] = provider_id
            rows.append(
                {
                    "row_id": message,
                    "provider_id": provider_id,
                    "sent_at": at,
                    "wake_at": _ask_at(channel, at, policy),
                }
            )
        if names[message] == provider_id:
            told.append(message)
        else:
            to = told_by(channel, audience)
            after_commit(log.error)("alarm", cause="sent_twice", message=message, channel=to)
    message_states.set_sent(conn, rows)
    if told:
        endings.told(conn, told, max(one.at for one in taken), begun)


def _ask_at(channel: Channel, at: datetime, policy: RetryPolicy) -> datetime | None:
    """When to ask what became of it; only of SMS can be asked."""
    ask = policy.fetch_after if channel is Channel.SMS else None
    return None if ask is None else at + ask


def suppress(conn: Connection, channel: Channel, address: str, reason: str, now: datetime) -> None:
    """The provider says that an address is dead, or that its holder has opted out: it is not used
    any more. A dead one is tried again after a time."""
    until = None if is_opt_out(reason) else now + _DEAD_FOR
    suppressions.add(conn, channel, {address: reason}, now, expires_at=until)


def held_back(
    conn: Connection,
    outgoing: OutgoingMessage,
    items: Sequence[Item],
    reason: str,
    now: datetime,
    *,
    alarm: bool = True,
) -> list[Item]:
    """These cannot be told on their channel, so the other takes over; returns those that nobody
    will be told of. ``alarm``: is it one if no way is left to the holder?"""
    endings.end(conn, [item.id for item in items], ReminderState.SUPPRESSED, reason, now)
    if outgoing.audience is Audience.HOLDER:
        return fall_back(conn, outgoing, items, now, alarm=alarm)
    after_commit(log.error)(
        "alarm", cause="guardian_unreachable", reason=reason, message=outgoing.id
    )
    return []


def missed(
    conn: Connection, outgoing: OutgoingMessage, items: Sequence[Item], reason: str, now: datetime
) -> None:
    """These were not told on their channel, and ought to have been: an alarm, with the cause. The
    notice may still reach its holder the other way."""
    after_commit(log.error)("alarm", cause="reminder_missed", reason=reason, message=outgoing.id)
    endings.end(conn, [item.id for item in items], ReminderState.MISSED, reason, now)
    if outgoing.audience is Audience.HOLDER:
        fall_back(conn, outgoing, items, now, alarm=False)
