"""The sums of a day: those of the account, whoever works them out, and made anew in time."""

import random
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, update

from tests.integration.helpers import NOW, TODAY, World
from worker.core.promise import Account
from worker.core.reminders import MessageState, ReminderState
from worker.core.viewer import Role, Viewer
from worker.monitoring.promise import Promise
from worker.monitoring.tallies import Tallies
from worker.setup.app import App
from worker.store import promise as store
from worker.store.books import ensure
from worker.store.console import today
from worker.store.engine import reading, writing
from worker.store.tables import messages, reminders, tallies, tally_days

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LIMA = ZoneInfo("America/Lima")
MIDNIGHT = datetime.combine(TODAY, time(), LIMA).astimezone(UTC)
UNCHECKED = timedelta(minutes=6)
_REASONS = (
    None,
    "",
    "renewed",
    "opted_out",
    "twilio:21610",
    "twilio:21617",
    "sendgrid",
    "smtp:550",
)
_WINDOWS = ("plan_end-7d", "plan_end-1d", "line_loss+3d", "event", "old-30d", "old-6d", "again-2")
# What a difference of one microsecond must not blur.
_MOMENTS = (timedelta(0), timedelta(microseconds=1), timedelta(microseconds=-1), MINUTE, 3 * HOUR)


@pytest.fixture
def app(world: World) -> App:
    return world.app(lambda: NOW)


def day(app: App, world: World, number: int = 0) -> today.DayAccount:
    with reading(app.engine) as conn:
        viewer = Viewer("ana", {world.book(): Role.VIEWER})
        return today.day(conn, viewer, TODAY + number * DAY)


def random_ledger(world: World, dice: random.Random) -> None:
    """Reminders and messages as they may never be: each state with each reason, at each edge."""
    with writing(world.engine) as conn:
        wanted = {"signature": "Other", "language": "en", "time_zone": "America/Lima"}
        other = int(ensure(conn, "other", wanted, NOW).id)
    cards = world.cards(4) + world.cards(3, world.holder(book_id=other), book_id=other)
    holder = world.holder()

    def around(*edges: datetime) -> datetime:
        return dice.choice(edges) + dice.choice(_MOMENTS)

    tolerance = world.rules.tolerance
    sent, told = [], []
    for number in range(1, 61):
        window = dice.choice(_WINDOWS)
        due = NOW - tolerance.of(window) + dice.choice(_MOMENTS)
        card = dice.choice(cards)
        message = dice.choice((None, number, number, number))
        until = around(NOW, NOW + DAY)
        if message:
            taken = dice.choice((None, around(due), around(due + tolerance.of(window))))
            sent.append(
                {
                    "id": number,
                    "book_id": world.book() if card in cards[:4] else other,
                    "holder_id": holder,
                    "channel": "sms",
                    "state": dice.choice(list(MessageState)),
                    "next_attempt_at": due,
                    "wake_at": dice.choice((None, around(NOW - UNCHECKED), NOW + HOUR)),
                    "useful_until": max(until, around(NOW - UNCHECKED)),
                    "attempts": 1,
                    "created_at": due,
                    "sent_at": taken,
                }
            )
        told.append(
            {
                "card_id": card,
                "deadline": "plan_end",
                "deadline_on": TODAY + dice.choice((DAY, 2 * DAY)),
                "window": window,
                "channel": dice.choice(("sms", "email")),
                "audience": dice.choice(("holder", "holder", "guardian")),
                "due_at": due,
                "owed_at": dice.choice((None, None, around(due, due + HOUR))),
                "useful_until": until,
                "state": dice.choice(list(ReminderState)),
                "reason": dice.choice(_REASONS),
                "message_id": message,
                "created_at": due,
            }
        )
    key = ("card_id", "deadline", "deadline_on", "window", "channel", "audience")
    once = {tuple(row[name] for name in key): row for row in told}
    with writing(world.engine) as conn:
        conn.execute(insert(messages), sent)
        conn.execute(insert(reminders), list(once.values()))


@pytest.mark.parametrize("seed", range(6))
def test_the_database_judges_as_the_account_does(world: World, app: App, seed: int) -> None:
    """On ledgers that no program would write."""
    random_ledger(world, random.Random(seed))
    promise = Promise(world.engine, world.rules, UNCHECKED)
    begin, end = MIDNIGHT - 3 * DAY, MIDNIGHT + 3 * DAY
    judge = promise.judge(NOW)
    lines = [line for line, _ in promise.lines(begin, end, None, NOW)]
    with reading(world.engine) as conn:
        rows = store.page(conn, begin, end, None, None, 500, columns=[judge.verdict().label("v")])
    verdicts = {row.id: row.v for row in rows}
    assert verdicts == {line.reminder: line.verdict for line in lines}
    assert len(set(verdicts.values())) >= 7
    for book in (None, world.book()):
        counted = Account()
        for _, owed in promise.lines(begin, end, book, NOW):
            counted.add(owed, NOW)
        assert promise.account(begin, end, book, NOW) == counted

    Tallies(app).make(NOW)
    mine = [one for one in lines if one.book == "demo"]
    for back in range(-2, 1):
        shown = day(app, world, back)
        begins = MIDNIGHT + back * DAY
        own = [one for one in mine if begins <= one.due_at < begins + DAY]
        assert shown.notices() == len(own)
        for verdict in {one.verdict for one in own}:
            assert shown.notices(verdict) == sum(one.verdict == verdict for one in own)
        for channel in ("sms", "email", "guardian"):
            some = sum(one.notices for one in shown.tallies if one.channel == channel)
            assert some == sum(one.channel == channel for one in own)


def test_a_day_holds_how_long_its_notices_took(world: World, app: App) -> None:
    [card] = world.cards(1, world.holder(email=None))
    world.check()
    with writing(world.engine) as conn:
        conn.execute(update(messages).values(sent_at=NOW + timedelta(seconds=59, microseconds=1)))
        conn.execute(update(reminders).values(state="sent", reason=None, owed_at=None, due_at=NOW))
    Tallies(app).make(NOW)
    assert card
    found = [one for one in day(app, world).tallies if one.channel == "sms"]
    assert [(o.verdict, o.within_5, o.within_60, o.within_300, o.slowest) for o in found] == [
        ("on_time", 0, 1, 1, 60)
    ]


def test_what_changes_is_made_anew_in_time(world: World, app: App) -> None:
    world.card(world.holder(email=None))
    world.check()
    own = Tallies(app)
    own.make(NOW)
    shown = day(app, world)
    assert (shown.made_at, shown.because("pending")) == (NOW, 1)
    assert (shown.begins_at, shown.ends_at) == (MIDNIGHT, MIDNIGHT + DAY)
    world.change(messages, state=MessageState.HELD)
    own.make(NOW + timedelta(seconds=20))
    assert day(app, world).because("held") == 0, "another has just made them"
    own.make(NOW + MINUTE)
    assert (day(app, world).because("held"), day(app, world).because("pending")) == (1, 0)
    world.change(messages, state=MessageState.UNKNOWN)
    for hours in range(24, 24 * 5, 24):
        own.make(NOW + hours * HOUR)
        assert day(app, world).because("unknown") == 1
    made = {row.day: row.made_at for row in world.rows(tally_days)}
    own.make(NOW + 96 * HOUR + MINUTE)
    again = {row.day: row.made_at for row in world.rows(tally_days)}
    changed = {one for one in made if made[one] != again[one]}
    assert changed == {TODAY + 4 * DAY, TODAY + 3 * DAY}, "the others each hour"


def test_days_of_before_are_made_one_at_a_time(world: World, app: App) -> None:
    own = Tallies(app)
    own.make(NOW)
    assert len(world.rows(tally_days)) == 7
    own.make(NOW)
    assert len(world.rows(tally_days)) == 8
    for _ in range(40):
        own.make(NOW)
    assert len(world.rows(tally_days)) == 30


def test_another_time_zone_makes_other_days(world: World, app: App) -> None:
    Tallies(app).make(NOW)
    there = world.app(lambda: NOW, book={"time_zone": "Asia/Shanghai"})
    Tallies(there).make(NOW)
    made = {row.day: row.begins_at for row in world.rows(tally_days)}
    zone = ZoneInfo("Asia/Shanghai")
    assert made[TODAY] == datetime.combine(TODAY, time(), zone).astimezone(UTC)


def test_an_unchanged_day_is_not_written_again(world: World, app: App) -> None:
    world.cards(2)
    world.check()
    Tallies(app).make(NOW)
    before = world.rows(tallies)
    assert before
    ids: Any = "SELECT ctid FROM tallies" if world.engine.name == "postgresql" else None
    with reading(world.engine) as conn:
        places = conn.exec_driver_sql(ids).all() if ids else []
    Tallies(app).make(NOW + MINUTE)
    assert world.rows(tallies) == before
    with reading(world.engine) as conn:
        assert (conn.exec_driver_sql(ids).all() if ids else []) == places
