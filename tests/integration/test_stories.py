"""What each holder receives, read like a story: every line must be true at the hour it arrives.

The diaries stand in tests/data/stories. After a text was changed on purpose, write them anew with
``WRITE_STORIES=1`` and read what has changed as the holder would.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.helpers import World
from tests.integration.stories import diary, play
from worker.core.cards import Kind

STORIES = Path(__file__).parents[1] / "data" / "stories"
SHANGHAI, LIMA, MADRID = "Asia/Shanghai", "America/Lima", "Europe/Madrid"
NEW_YORK, AUCKLAND = "America/New_York", "Pacific/Auckland"
# An Entel card without balance: topped up on 14 April, 60 days later is 13 June.
ENTEL: dict[str, Any] = {
    "kind": Kind.RETENTION,
    "operator": "entel",
    "plan": None,
    "plan_days": None,
    "plan_end": None,
    "last_topup": date(2026, 4, 14),
}
FOUR_G: dict[str, Any] = {
    "kind": Kind.FOUR_G,
    "operator": "claro",
    "plan": "Plan 30",
    "plan_days": 30,
    "plan_end": date(2026, 6, 12),
}
TRAVEL: dict[str, Any] = {
    "kind": Kind.ESIM,
    "operator": "other",
    "msisdn": None,
    "plan": "7 days",
    "plan_days": 7,
    "plan_end": date(2026, 6, 12),
}
READERS: Mapping[str, tuple[str, str]] = {
    SHANGHAI: ("zh-Hans", "+8613800138000"),
    LIMA: ("es-PE", "+51987000001"),
    MADRID: ("es-PE", "+34600000001"),
    NEW_YORK: ("en", "+12125550123"),
    AUCKLAND: ("en", "+64211234567"),
    "Asia/Taipei": ("zh-Hant", "+886912345678"),
}


@dataclass(frozen=True)
class Story:
    """A holder in ``zone`` with ``cards``, from ``since`` on for ``days``."""

    zone: str
    cards: tuple[dict[str, Any], ...]
    days: int = 70
    since: datetime = datetime(2026, 4, 20, tzinfo=UTC)
    holder: Mapping[str, Any] = field(default_factory=dict)


CASES: Mapping[str, Story] = {
    **{
        f"entel-retention-{zone.rpartition('/')[2].lower()}": Story(zone, (ENTEL,))
        for zone in (SHANGHAI, LIMA, MADRID, NEW_YORK, AUCKLAND)
    },
    **{
        f"4g-{zone.rpartition('/')[2].lower()}": Story(zone, (FOUR_G,))
        for zone in (SHANGHAI, LIMA, MADRID, NEW_YORK, AUCKLAND, "Asia/Taipei")
    },
    "three-cards-and-a-phone": Story(
        SHANGHAI,
        (FOUR_G, FOUR_G, {**FOUR_G, "operator": "entel", "plan_end": date(2026, 6, 13)}),
        holder={"email": None},
    ),
    "travel-esim-shanghai": Story(SHANGHAI, (TRAVEL,)),
    "travel-esim-madrid": Story(MADRID, (TRAVEL,)),
}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", CASES)
def test_a_holders_diary_is_true_and_complete(world: World, name: str) -> None:
    story = CASES[name]
    language, phone = READERS[story.zone]
    values = {"name": "", "language": language, "time_zone": story.zone, "contact_phone": phone}
    holder = world.holder(**{**values, **story.holder})
    for card in story.cards:
        world.card(holder, watched_since=story.since, **card)
    received = play(world, story.since, story.since + timedelta(days=story.days))
    told = diary(received, story.zone)
    path = STORIES / f"{name}.txt"
    if os.environ.get("WRITE_STORIES"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(told, encoding="utf-8")
    assert told == path.read_text(encoding="utf-8")
