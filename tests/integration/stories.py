"""What holders read, day by day: a database, the real line and the sandbox, told as a diary."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from tests.integration.helpers import World
from tests.integration.sandbox_helpers import mailbox
from worker.clock import set_file_clock
from worker.core.reminders import WAITING
from worker.processes.once import run_once
from worker.store.engine import reading
from worker.store.tables import cards, messages

SITE = "http://127.0.0.1:8800"
_LINK = re.compile(r"https?://\S+")
_STEP = timedelta(seconds=1)


@dataclass(frozen=True)
class Received:
    """One message as it arrived, at the reader's hour; ``subject`` is empty of an SMS."""

    at: datetime
    to: str
    channel: str
    subject: str
    text: str

    def on_clock(self, zone: str) -> datetime:
        """When it came by the clock of ``zone``."""
        return self.at.astimezone(ZoneInfo(zone))


def play(world: World, since: datetime, until: datetime, *, read: bool = True) -> list[Received]:
    """Do what ``once`` does at every instant at which something is due, from ``since`` on; returns
    all that arrived meanwhile. ``read``: look into the mailbox at each of these instants, which
    costs the more the longer it has been filled."""
    found: list[Received] = []
    seen = _counts(world) if read else {}
    now = since
    while now < until:
        assert world.clock is not None
        set_file_clock(world.clock, now)
        app = world.app(lambda: now, web={"public_url": SITE})  # noqa: B023 - called before the next step
        asyncio.run(run_once(app, now))
        if read:
            found += _new(world, now, seen)
        now = _next(world, now, until)
    return found


def _next(world: World, now: datetime, until: datetime) -> datetime:
    """The next instant at which a card or a message is due."""
    with reading(world.engine) as conn:
        check = conn.scalar(
            select(func.min(cards.c.next_check_at)).where(cards.c.next_check_at > now)
        )
        send = conn.scalar(
            select(func.min(messages.c.next_attempt_at)).where(
                messages.c.state.in_(WAITING), messages.c.next_attempt_at > now
            )
        )
    due: list[datetime] = [at for at in (check, send) if at is not None]
    return max(min(*due, until, until), now + _STEP).astimezone(UTC)


def _counts(world: World) -> dict[tuple[str, str], int]:
    box = mailbox(world.sandbox)
    return {(ch, to): len(got) for ch in ("sms", "email") for to, got in box[ch].items()}


def _new(world: World, now: datetime, seen: dict[tuple[str, str], int]) -> Iterator[Received]:
    box = mailbox(world.sandbox)
    for channel in ("sms", "email"):
        for to, got in box[channel].items():
            known = seen.get((channel, to), 0)
            for one in got[known:]:
                text = one["body"] if channel == "sms" else one["text"]
                yield Received(now, to, channel, one.get("subject", ""), text)
            seen[channel, to] = len(got)


def diary(received: list[Received], zone: str) -> str:
    """Each message with the reader's day and hour; of an email what comes before the list of
    cards; links differ each time."""
    lines = []
    for one in received:
        head = f"{one.on_clock(zone):%a %d %b %H:%M} {one.channel}"
        if one.channel == "sms":
            lines.append(f"{head}\n    {one.text}")
            continue
        top = [line.strip() for line in one.text.split("\n== ")[:2]]
        body = _LINK.sub("[link]", " ".join(" ".join(top).split()))
        lines.append(f"{head}: {one.subject}\n    {body}")
    return "\n\n".join(lines) + "\n"
