"""Whatever the reader's time zone: from the row of a card to the text that arrives, every word
about time is true on the reader's clock, no two windows say the same, and a loss is told of after
it."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from sqlalchemy import Row

from tests.integration.helpers import World
from tests.integration.stories import play
from worker.core.cards import Kind
from worker.store.tables import cards, holders, messages, reminders

LIMA = ZoneInfo("America/Lima")
SINCE = datetime(2026, 9, 1, tzinfo=UTC)
# Clocks in Europe and North America go back while this lasts.
PLAN_END = date(2026, 10, 24)
# 60 days after: 25 October, when clocks in Europe go back.
TOPUP = date(2026, 8, 26)
PLANS: dict[str, dict[str, Any]] = {
    "data": {"kind": Kind.DATA, "operator": "other", "plan_end": PLAN_END},
    "4g": {"kind": Kind.FOUR_G, "operator": "other", "plan_end": PLAN_END},
    "esim": {"kind": Kind.ESIM, "operator": "other", "plan_end": PLAN_END},
    "retention": {
        "kind": Kind.RETENTION,
        "operator": "entel",
        "plan": None,
        "plan_days": None,
        "plan_end": None,
        "last_topup": TOPUP,
    },
}
# Every zone has a reader of these; the others differ in the same windows of a plan.
EVERYWHERE = ("4g", "retention")
WHERE_READERS_ARE = ("America/Lima", "Asia/Shanghai", "Europe/Madrid", "America/New_York")
TOLD = ("sent", "delivered")
# How the English texts say how far away something is.
_SAYS = (
    (re.compile(r"\bin (\d+) days", re.IGNORECASE), 1),
    (re.compile(r"\b(\d+) days left", re.IGNORECASE), 1),
    (re.compile(r"\b(\d+) days to keep", re.IGNORECASE), 1),
    (re.compile(r"\b(\d+) days ago", re.IGNORECASE), -1),
)
_ADVICE = re.compile(r"(?:Top up|Renew it) today")
_WORDS = {"tomorrow": 1, "today": 0, "yesterday": -1}


def unlike_zones() -> list[str]:
    """One zone of all those whose clocks show the same in these months."""
    found: dict[tuple[object, ...], str] = {}
    for zone in sorted(available_timezones() - {"localtime"}):
        clock = ZoneInfo(zone)
        days = range(0, 75, 5)
        found.setdefault(
            tuple((SINCE + timedelta(days=day)).astimezone(clock).utcoffset() for day in days), zone
        )
    return sorted({*found.values(), *WHERE_READERS_ARE})


@dataclass(frozen=True)
class Told:
    """A message that was sent, with the reminder that it carries."""

    zone: str
    card: int
    channel: str
    window: str
    deadline: str
    on: date
    at: datetime
    text: str

    @property
    def today(self) -> date:
        return self.at.astimezone(ZoneInfo(self.zone)).date()

    @property
    def loss(self) -> datetime:
        """From when the loss is certain: the end of its day in Lima."""
        return datetime.combine(self.on + timedelta(days=1), datetime.min.time(), LIMA)

    @property
    def day(self) -> date:
        """The day that the text names: a plan's last minute, or the first minute of a loss."""
        minute = self.loss - timedelta(minutes=1)
        if self.deadline != "plan_end":
            minute = self.loss - timedelta(days=1)
        return minute.astimezone(ZoneInfo(self.zone)).date()

    def claims(self) -> Iterator[int]:
        """Every distance in days that the text speaks of; what to do today is none."""
        text = _ADVICE.sub("", self.text)
        for pattern, sign in _SAYS:
            for found in pattern.findall(text):
                yield sign * int(found)
        for word, days in _WORDS.items():
            if re.search(rf"\b{word}\b", text, re.IGNORECASE):
                yield days


def told(world: World) -> list[Told]:
    """All that was sent, an SMS by its text and an email by its subject."""
    zones = {row.id: row.time_zone for row in world.rows(holders)}
    owner = {row.id: row.holder_id for row in world.rows(cards)}
    sent = {row.id: row for row in world.rows(messages)}
    return [_told(row, sent[row.message_id], zones[owner[row.card_id]])
            for row in world.rows(reminders) if row.state in TOLD]  # fmt: skip


def _told(row: Row[Any], message: Row[Any], zone: str) -> Told:
    text = message.body if row.channel == "sms" else message.subject
    on, at = row.deadline_on, message.sent_at
    return Told(zone, row.card_id, row.channel, row.window, row.deadline, on, at, text)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.timeout(600)
def test_every_word_about_time_is_true_for_every_zone_and_kind(world: World) -> None:
    zones = unlike_zones()
    for number, zone in enumerate(zones):
        for nth, (kind, card) in enumerate(PLANS.items()):
            if kind not in EVERYWHERE and zone not in WHERE_READERS_ARE:
                continue
            holder = world.holder(
                name=f"{zone} {nth}",
                time_zone=zone,
                contact_phone=f"+5191{number:03}{nth:04}",
                email=f"h{number}x{nth}@example.com",
            )
            world.card(holder, watched_since=SINCE, **{"plan_days": None, **card})
    play(world, SINCE, SINCE + timedelta(days=75), read=False)

    found = told(world)
    assert {one.zone for one in found} == set(zones)
    missed = [row for row in world.rows(reminders) if row.state not in TOLD]
    assert not [(row.window, row.state, row.reason) for row in missed]
    for one in found:
        _is_true(one)
    for zone in zones:
        mine = [one for one in found if one.zone == zone]
        windows = {(one.card, one.channel, one.window) for one in mine}
        assert len(windows) == len(mine), f"{zone}: a window was told twice"
        texts = {(one.card, one.channel, one.text) for one in mine}
        assert len(texts) == len(mine), f"{zone}: two windows said the same"
    # Every reader is told of the same windows, wherever they are.
    kinds = {row.id: row.kind for row in world.rows(cards)}
    counts = Counter((one.zone, kinds[one.card]) for one in found)
    for kind in Kind:
        assert len({n for (_, of), n in counts.items() if of == kind}) == 1, counts


def _is_true(one: Told) -> None:
    where = f"{one.zone} {one.window} {one.channel} at {one.at}: {one.text}"
    claims = set(one.claims())
    if "moment" in one.text.lower():
        assert one.loss - timedelta(days=1) <= one.at < one.loss, where
    else:
        assert claims == {(one.day - one.today).days}, where
    before = "-" in one.window or "+0d" in one.window
    if before:
        assert one.at < one.loss, where
    else:
        assert one.at >= one.loss, f"told before the loss: {where}"
    if re.search(r"\+[1-4]d", one.window):
        assert one.at - one.loss < timedelta(days=5), f"told too late: {where}"
    local = one.at.astimezone(ZoneInfo(one.zone))
    assert 9 <= local.hour < 20, where
