"""What pages read is found by keys, whatever is stored: no whole table, no whole index."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import Connection

from tests.integration.helpers import NOW, TODAY, World, always
from tests.integration.test_planner_hints import watched
from worker.core.cards import Channel
from worker.core.outcomes import Outcome, OutcomeKind
from worker.core.promise import BROKEN, Class
from worker.core.viewer import Role, Viewer
from worker.monitoring.promise import Promise
from worker.store import saves
from worker.store.console import audit, card, cards, messages, notices, today
from worker.store.console.cards import CardFilters
from worker.store.console.notices import NoticeFilters
from worker.store.console.pages import Key, looking
from worker.store.verdicts import Judge

pytestmark = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)

DAY = timedelta(days=1)
BEGIN, END = NOW - DAY, NOW + DAY
ONE, MANY = Viewer("ana", {1: Role.VIEWER}), Viewer("root", dict.fromkeys(range(1, 60), Role.ADMIN))
LATER = (TODAY.isoformat(), 3)
# Rows of alarms, of days that are summed up and of books are few, whatever happens.
FEW = ("FROM alarms", "FROM tally_days")
FILTERS = (
    CardFilters(),
    CardFilters(within=30, operator="claro"),
    CardFilters(state="suspended"),
    CardFilters(state="active", kind="data"),
    CardFilters(paused=True),
    CardFilters(unreached=True),
    CardFilters(unreached=True, operator="claro"),
)


def reads(judge: Judge) -> dict[str, Callable[[Connection, Viewer], object]]:
    found: dict[str, Callable[[Connection, Viewer], object]] = {
        "alarms": today.open_alarms,
        "past alarms": lambda c, v: today.past_alarms(c, v, BEGIN),
        "day": lambda c, v: today.day(c, v, TODAY),
        "next days": lambda c, v: today.next_days(c, v, TODAY, TODAY + 30 * DAY),
        "in danger": lambda c, v: today.in_danger(c, v, TODAY),
        "nobody reached": lambda c, v: today.nobody_reached(c, v, TODAY),
        "saves": lambda c, v: saves.number(c, v, BEGIN),
        "audit": audit.listing,
        "all of the audit": lambda c, v: audit.listing(c, None, 40),
        "digits": lambda c, v: cards.search(c, v, "0003", TODAY),
        "digits, next page": lambda c, v: cards.search(c, v, "0", TODAY, ("r00", 1)),
        "words": lambda c, v: cards.search(c, v, "rosa quispe", TODAY),
        "card": lambda c, v: card.show(c, v, 1),
        "open messages": lambda c, v: messages.open_(c, v, (40,)),
        "lost messages": lambda c, v: messages.open_(c, v, None, messages.LOST),
        "waiting messages": messages.waiting,
        "more waiting": lambda c, v: messages.waiting(c, v, (NOW.isoformat(), 3)),
        "ended messages": lambda c, v: messages.ended(c, v, (40,)),
        "message": lambda c, v: messages.show(c, v, 1),
    }
    for filters in FILTERS:
        found[f"cards {filters}"] = partial(listed, filters, None)
        found[f"more {filters}"] = partial(listed, filters, LATER)
    wanted = [NoticeFilters(), NoticeFilters(window="event"), NoticeFilters(reason="held")]
    wanted.append(NoticeFilters(verdicts=BROKEN))
    for own in (*wanted, *(NoticeFilters(verdicts=(one,)) for one in Class)):
        found[f"notices {own}"] = partial(told, judge, own)
    return found


def listed(filters: CardFilters, after: Key | None, conn: Connection, viewer: Viewer) -> object:
    return cards.listing(conn, viewer, filters, TODAY, after)


def told(judge: Judge, filters: NoticeFilters, conn: Connection, viewer: Viewer) -> object:
    after = (NOW.isoformat(), 3)
    return notices.listing(conn, viewer, judge, BEGIN, END, filters, after)


@pytest.mark.parametrize("viewer", [ONE, MANY], ids=["one book", "many books"])
def test_pages_find_their_rows_by_keys(world: World, viewer: Viewer) -> None:
    for number in range(20):
        world.card(world.holder(contact_phone=f"+51911111{number:03}", email=None))
    world.check()
    dead = Outcome(OutcomeKind.MESSAGE_DEAD, "twilio:21617")
    world.send(channel=Channel.SMS, providers={Channel.SMS: always(dead)})
    judge = Promise(world.engine, world.rules, timedelta(minutes=6)).judge(NOW)
    walks: dict[str, dict[str, list[str]]] = {}
    for name, read in reads(judge).items():
        with watched(world.engine) as found, looking(world.engine) as conn:
            read(conn, viewer)
        assert found, name
        walked = {s: told for s, told in found.items() if told and not any(f in s for f in FEW)}
        if walked:
            walks[name] = walked
    assert walks == {}
