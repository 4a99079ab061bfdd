"""Each life event, from the command line that enters it (or the clock that finds it) to what the
holder finds in the sandbox's mailbox, in the holder's language: what the policies say, or nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.helpers import MORNING, NIGHT, NOW, TODAY, World
from tests.integration.sandbox_helpers import mailbox
from worker.cli import cli
from worker.core.cards import CardState, Channel, Kind
from worker.core.life import LifeEvent, LifeNotice
from worker.core.reminders import ReminderState
from worker.store.tables import cards, messages, reminders

SMS, MAIL = Channel.SMS, Channel.EMAIL
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# Plans that end later than any of their windows opens.
FAR = {"plan_end": TODAY + timedelta(days=60), "last_topup": TODAY - timedelta(days=5)}
LOST_TODAY: dict[str, Any] = {
    "kind": Kind.RETENTION,
    "operator": "movistar",
    "plan": None,
    "plan_days": None,
    "plan_end": None,
    "last_topup": TODAY - timedelta(days=210),
}
RENEW = ("renew", "--plan-end", "2026-09-30")
# Who reads what: language, phone, and the language that an SMS on the way there may have.
READERS = [
    ("en", "+51987654320", "en"),
    ("es-PE", "+51987654321", "es-PE"),
    ("zh-Hans", "+51987654322", "es-PE"),
    ("zh-Hans", "+8613800138000", "zh-Hans"),
    ("zh-Hant", "+886912345678", "zh-Hant"),
]
# How each tells the way out, at the end of every SMS: only from Taiwan would an answer arrive.
WAY_OUT = {
    "en": "To opt out, ask whoever manages your SIM",
    "es-PE": "Para salir, avise a quien administra su chip",
    "zh-Hans": "退订找管卡人",
    "zh-Hant": "退訂回TD",
}


@dataclass(frozen=True)
class Story:
    """``acts``: when which command is given, or ``WORK`` done. ``told``: what arrives of it all, in
    order. ``leaves``: what the card is like afterwards."""

    acts: tuple[tuple[datetime, tuple[str, ...]], ...]
    told: tuple[LifeNotice, ...] = ()
    leaves: Mapping[str, Any] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=lambda: FAR)


WORK: tuple[str, ...] = ()
SENT_AT_ONCE = (NOW, WORK)
STORIES: dict[LifeEvent, Story] = {
    LifeEvent.RENEWED: Story(
        ((NOW, RENEW), SENT_AT_ONCE),
        (LifeNotice.RENEWAL_RECORDED,),
        {"plan_end": date(2026, 9, 30)},
    ),
    LifeEvent.CONFIRMED: Story(
        ((NOW, RENEW), SENT_AT_ONCE, (NOW + HOUR, ("confirm",)), (NOW + DAY + HOUR, WORK)),
        (LifeNotice.RENEWAL_RECORDED,),
        {"plan_end": date(2026, 9, 30), "renewed_at": None},
    ),
    LifeEvent.RENEWAL_NOT_EFFECTIVE: Story(
        ((NOW, RENEW), SENT_AT_ONCE, (NOW + DAY + HOUR, WORK)),
        (LifeNotice.RENEWAL_RECORDED, LifeNotice.RENEWAL_NOT_EFFECTIVE),
        {"plan_end": date(2026, 9, 30), "renewed_at": NOW, "asked_at": NOW + DAY + HOUR},
    ),
    LifeEvent.RENEWAL_UNANSWERED: Story(
        ((NOW, RENEW), SENT_AT_ONCE, (NOW + DAY + HOUR, WORK), (NOW + 3 * DAY + HOUR, WORK)),
        (LifeNotice.RENEWAL_RECORDED, LifeNotice.RENEWAL_NOT_EFFECTIVE),
        {"plan_end": FAR["plan_end"], "renewed_at": None},
    ),
    LifeEvent.CORRECTED: Story(
        (
            (NOW, RENEW),
            SENT_AT_ONCE,
            (NOW + HOUR, ("renew", "--plan-end", "2026-09-20")),
            (NOW + HOUR, WORK),
            (NOW + 2 * HOUR, ("confirm",)),
            (NOW + 2 * DAY, ("renew", "--plan-end", "2026-09-21", "--correct")),
            (NOW + 2 * DAY, WORK),
        ),
        (LifeNotice.RENEWAL_RECORDED,),
        {"plan_end": date(2026, 9, 21), "renewed_at": None},
    ),
    LifeEvent.RENEWAL_FAILED: Story(
        ((NOW, RENEW), SENT_AT_ONCE, (NOW + HOUR, ("fail",)), (NOW + HOUR, WORK)),
        (LifeNotice.RENEWAL_RECORDED, LifeNotice.RENEWAL_FAILED),
        {"plan_end": FAR["plan_end"], "renewed_at": None},
    ),
    LifeEvent.LOW_BALANCE: Story(
        (
            (NOW, ("low", "--balance", "1.50")),
            SENT_AT_ONCE,
            (NOW + DAY, ("low",)),
            (NOW + DAY, WORK),
        ),
        (LifeNotice.LOW_BALANCE,),
    ),
    LifeEvent.LOW_DATA: Story(((NOW, ("low", "--data")), SENT_AT_ONCE), (LifeNotice.LOW_DATA,)),
    LifeEvent.SUSPENDED: Story(
        ((NOW, ("suspend",)), SENT_AT_ONCE),
        (LifeNotice.SUSPENDED,),
        {"state": CardState.SUSPENDED},
    ),
    LifeEvent.RECYCLED: Story(
        ((NOW, ("recycle",)), SENT_AT_ONCE),
        (LifeNotice.RECYCLED,),
        {"state": CardState.RECYCLED},
    ),
    LifeEvent.REGISTRATION_NOTICE: Story(
        ((NOW, ("registration",)), SENT_AT_ONCE), (LifeNotice.REGISTRATION_NOTICE,)
    ),
    LifeEvent.REGISTRATION_RESOLVED: Story(
        (
            (NIGHT, ("registration",)),
            (NIGHT, WORK),
            (NIGHT + HOUR, ("registration", "--resolved")),
            (MORNING, WORK),
        ),
    ),
    LifeEvent.REASSIGNED: Story(
        (
            (NIGHT, ("registration",)),
            (NIGHT + HOUR, ("reassign", "--name", "Luis Soto", "--email", "luis@example.com")),
            (MORNING, WORK),
        ),
    ),
    LifeEvent.PAUSED: Story(
        (
            (NIGHT, ("registration",)),
            (NIGHT + HOUR, ("pause",)),
            (NIGHT + HOUR, ("low",)),
            (MORNING, WORK),
        ),
        leaves={"paused": True},
    ),
    LifeEvent.RESUMED: Story(
        (
            (NOW, ("pause",)),
            (NOW + HOUR, ("resume",)),
            (NOW + HOUR, WORK),
            (NOW + 2 * HOUR, ("low",)),
            (NOW + 2 * HOUR, WORK),
        ),
        (LifeNotice.LOW_BALANCE,),
        {"paused": False},
    ),
    LifeEvent.CLOSED: Story(
        (SENT_AT_ONCE, (NOW + 90 * DAY, WORK)),
        leaves={"state": CardState.CLOSED, "note": None},
        card=LOST_TODAY,
    ),
}


@pytest.fixture
def given(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world that the command line finds by its environment."""
    url = world.engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("VIGENCIA_SANDBOX__URL", world.sandbox)
    monkeypatch.chdir(tmp_path)
    world.read_timeout = 5.0
    return world


def command(words: tuple[str, ...], card: Any, now: datetime) -> None:
    """`vigencia cards WORDS` as it is typed."""
    name, *rest = words
    line = ["cards", name, str(card.id), *rest, "--now", now.isoformat(), "--json"]
    cli.main(line, prog_name="vigencia", standalone_mode=False)


@pytest.mark.parametrize("event", LifeEvent)
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_each_event_of_a_cards_life_is_told_as_the_policies_say(
    given: World, event: LifeEvent
) -> None:
    play(given, event)


@pytest.mark.parametrize("event", [LifeEvent.RENEWAL_FAILED, LifeEvent.RECYCLED])
@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_an_event_is_told_alike_on_postgresql(given: World, event: LifeEvent) -> None:
    play(given, event)


def play(world: World, event: LifeEvent) -> None:
    """Let it happen to a card of each reader, and look into every mailbox."""
    story = STORIES[event]
    for number, (language, phone, _) in enumerate(READERS):
        holder = world.holder(language=language, contact_phone=phone, email=address_of(number))
        world.card(holder, **story.card)
    for now, words in story.acts:
        for card in world.rows(cards) if words else ():
            command(words, card, now)
        if not words:
            world.work(now)
    for card in world.rows(cards):
        assert {name: getattr(card, name) for name in story.leaves} == dict(story.leaves)
        assert (card.id, event) in world.events()
    received = mailbox(world.sandbox)
    assert received["sms"].keys() <= {phone for _, phone, _ in READERS}
    assert received["email"].keys() <= {address_of(number) for number in range(len(READERS))}
    for number, (language, phone, in_sms) in enumerate(READERS):
        texts = [one["body"] for one in received["sms"].get(phone, [])]
        letters = [one["html"] for one in received["email"].get(address_of(number), [])]
        assert len(texts) == len(sent(world, number, SMS))
        assert len(letters) == len(sent(world, number, MAIL))
        assert all(text.endswith(WAY_OUT[in_sms]) for text in texts), texts
        assert all(f'lang="{language}"' in letter for letter in letters), language
        for channel in (SMS, MAIL):
            # Where an SMS cannot have the holder's language, the email goes beside it.
            ways = {SMS, MAIL} if channel is MAIL and in_sms != language else {channel}
            wanted = [n for n in story.told if not ways.isdisjoint(world.rules.events[n])]
            found = [d for d in flat(sent(world, number, channel)) if d in set(LifeNotice)]
            assert found == wanted, (channel, language)


def address_of(number: int) -> str:
    return f"r{number}@example.com"


def sent(world: World, number: int, channel: Channel) -> list[list[str]]:
    """What each message that was sent to a reader on ``channel`` tells of, in order."""
    ended = (ReminderState.SENT, ReminderState.DELIVERED)
    owed = [row for row in world.rows(reminders) if row.state in ended]
    ids = [row.id for row in world.rows(messages) if row.channel == channel]
    found = [
        [r.deadline for r in owed if (r.message_id, r.card_id) == (message, number + 1)]
        for message in ids
    ]
    return [deadlines for deadlines in found if deadlines]


def flat(several: list[list[str]]) -> list[str]:
    return [one for some in several for one in some]
