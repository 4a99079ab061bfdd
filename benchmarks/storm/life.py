"""Ordinary life in the storm: cards are renewed and holders opt out, at random moments.

Each is remembered with the time at which it was certainly in the database: whatever is begun after
that must know of it.
"""

import json
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection, Select, select

from worker.core.cards import Audience, Channel
from worker.core.life import Happening, LifeEvent
from worker.errors import UnreachableError
from worker.setup.app import App
from worker.store.engine import reading
from worker.store.tables import cards, holders, messages, reminders, suppressions

log = structlog.get_logger(__name__)
T = TypeVar("T")

_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Renewal:
    """The card has a new plan end; notices of ``former`` must not be begun after ``at``."""

    card_id: int
    former: date
    at: datetime


@dataclass(slots=True)
class StormLife:
    """What happens to cards and holders; ``now`` is the storm's clock."""

    app: App
    sandbox_url: str
    now: Callable[[], datetime]
    renewals: list[Renewal] = field(default_factory=list)
    # By channel and address: since when nothing may go there, and from when on again.
    opt_outs: dict[tuple[str, str], datetime] = field(default_factory=dict)
    lifted: dict[tuple[str, str], datetime] = field(default_factory=dict)

    def renew(self, pick: float) -> None:
        """Renew one of the cards of which a notice waits or was just sent."""
        found = self._patiently(lambda conn: conn.execute(_renewable()).all())
        if not found:
            return
        row = found[int(pick * len(found))]
        what = Happening(LifeEvent.RENEWED, plan_end=row.plan_end + timedelta(days=60))
        try:
            self.app.life.record(row.id, what, self.now())
            # Or after a day without a word the former deadlines would hold again.
            self.app.life.record(row.id, Happening(LifeEvent.CONFIRMED), self.now())
        except UnreachableError:
            return  # whether it was written is not known here, so nothing is claimed of it
        self.renewals.append(Renewal(row.id, row.plan_end, self.now()))

    def opt_out(self, pick: float) -> None:
        """Let one of the numbers with a waiting SMS answer STOP, through the provider's webhook."""
        if (number := self.address(Channel.SMS, pick)) is not None:
            self._inbound(number)

    def address(self, channel: str, pick: float) -> str | None:
        """One of the numbers or mailboxes to which a message waits or has just gone."""
        found = self._patiently(lambda conn: conn.execute(_reachable(channel)).scalars().all())
        return str(found[int(pick * len(found))]) if found else None

    def observe(self) -> None:
        """Note the addresses that are silent by now: that holds from here on at the latest, and
        until it is lifted. A number that a provider called dead is, once a text arrives there."""
        try:
            with reading(self.app.engine) as conn:
                rows = conn.execute(
                    select(
                        suppressions.c.channel, suppressions.c.address, suppressions.c.lifted_at
                    ).where(suppressions.c.card_id.is_(None))
                ).all()
        except UnreachableError:
            return
        at = self.now()
        for row in rows:
            where = (row.channel, row.address)
            if row.lifted_at is not None:
                self.lifted[where] = row.lifted_at
            elif self.lifted.pop(where, None) is not None:  # it is silent once more
                self.opt_outs[where] = at
            else:
                self.opt_outs.setdefault(where, at)

    def _inbound(self, sender: str) -> None:
        body = json.dumps({"from": sender, "body": "STOP"}).encode()
        request = urllib.request.Request(  # noqa: S310 - our own sandbox
            f"{self.sandbox_url}/sandbox/inbound", body, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=5):  # noqa: S310
                pass
        except OSError as error:
            log.warning("inbound_failed", error=type(error).__name__)

    def _patiently(self, read: Callable[[Connection], T]) -> T | None:
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < give_up:
            try:
                with reading(self.app.engine) as conn:
                    return read(conn)
            except UnreachableError:
                time.sleep(0.2)
        return None


def _renewable() -> Select[Any]:
    """Cards of which a notice waits."""
    waiting = select(reminders.c.card_id).where(reminders.c.state == "pending")
    return (
        select(cards.c.id, cards.c.plan_end)
        .where(cards.c.state == "active", cards.c.renewed_at.is_(None), cards.c.id.in_(waiting))
        .order_by(cards.c.id)
        .limit(200)
    )


def _reachable(channel: str) -> Select[Any]:
    """Addresses to which a message of ``channel`` waits or has just gone."""
    address = holders.c.contact_phone if channel == Channel.SMS else holders.c.email
    return (
        select(address)
        .join(messages, messages.c.holder_id == holders.c.id)
        .where(
            messages.c.channel == channel,
            messages.c.audience == Audience.HOLDER,
            messages.c.state.in_(("pending", "retryable", "sending", "sent")),
            address.is_not(None),
        )
        .order_by(messages.c.id)
        .limit(200)
    )
