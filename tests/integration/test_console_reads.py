"""What the pages of the console read: of the viewer's books only, in order, a page at a time."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from tests.integration.helpers import NOW, TODAY, World, always
from worker.core.cards import CardState, Channel
from worker.core.life import LifeEvent
from worker.core.outcomes import Outcome, OutcomeKind, accepted
from worker.core.promise import Class
from worker.core.viewer import Role, Viewer
from worker.monitoring.promise import Promise
from worker.store.books import ensure
from worker.store.console import card as card_page
from worker.store.console import cards as card_list
from worker.store.console import messages as message_list
from worker.store.console import notices, today
from worker.store.console.cards import CardFilters, HolderTold, ListedCard
from worker.store.console.notices import NoticeFilters
from worker.store.console.pages import Key, PageOf, looking
from worker.store.engine import writing
from worker.store.tables import cards, messages

DAY = timedelta(days=1)


@dataclass
class Desk:
    """The reads of a viewer, each in a transaction of its own."""

    world: World
    viewer: Viewer

    def ask(self, read: Callable[..., Any], *given: Any, **named: Any) -> Any:
        with looking(self.world.engine) as conn:
            return read(conn, self.viewer, *given, **named)

    def cards(self, size: int = 2, **filters: Any) -> list[ListedCard]:
        """All pages of a list, one after the other."""
        wanted = CardFilters(**filters)
        return pages(lambda after: self.ask(card_list.listing, wanted, TODAY, after, size))

    def search(self, text: str, size: int = 2) -> list[int]:
        found = pages(lambda after: self.ask(card_list.search, text, TODAY, after, size))
        return [one.id for one in found]


def pages(read: Callable[[Key | None], PageOf[Any]]) -> list[Any]:
    found: list[Any] = []
    after: Key | None = None
    while True:
        page = read(after)
        found += page.rows
        if page.after is None:
            return found
        after = page.after


def other_book(world: World, name: str = "other") -> int:
    wanted = {"signature": "Other", "language": "en", "time_zone": "America/Lima"}
    with writing(world.engine) as conn:
        return int(ensure(conn, name, wanted, NOW).id)


@pytest.fixture
def desk(world: World) -> Desk:
    """Of whoever looks at the book of the world, and at two that have nothing in them."""
    return Desk(world, Viewer("ana", dict.fromkeys((world.book(), 98, 99), Role.VIEWER)))


def ids(rows: Sequence[Any]) -> list[int]:
    return [row.id for row in rows]


def test_cards_come_by_their_next_deadline_each_once_and_the_closed_at_the_end(
    desk: Desk, world: World
) -> None:
    later = world.cards(3, plan_end=TODAY + 9 * DAY)
    [soon] = world.cards(1, plan_end=TODAY)
    [past] = world.cards(1, plan_end=TODAY - 3 * DAY, operator="other")
    [closed] = world.cards(1, state=CardState.CLOSED)
    found = desk.cards()
    assert ids(found) == [soon, *later, past, closed]
    assert [one.on_day for one in found] == [TODAY, *[TODAY + 9 * DAY] * 3, None, None]
    assert [one.deadline for one in found] == [*["plan_end"] * 4, None, None]


def test_filters_hold_on_every_page(desk: Desk, world: World) -> None:
    entel = world.cards(3, operator="entel")
    claro = world.cards(3, kind="esim", plan_end=TODAY + 30 * DAY)
    world.live(entel[0], LifeEvent.SUSPENDED)
    world.live(claro[1], LifeEvent.PAUSED)
    assert ids(desk.cards(operator="entel")) == entel
    assert ids(desk.cards(kind="esim")) == claro
    assert ids(desk.cards(within=10)) == entel
    assert ids(desk.cards(state="suspended")) == entel[:1]
    assert ids(desk.cards(state="active", operator="entel")) == entel[1:]
    assert ids(desk.cards(paused=True)) == claro[1:2]
    assert ids(desk.cards(paused=True, operator="entel")) == []
    assert ids(desk.cards(state="suspended", within=10)) == entel[:1]


def test_search_finds_ends_beginnings_and_words(desk: Desk, world: World) -> None:
    wang = world.card(world.holder(name="王小明"), msisdn="+51987654241", iccid=None)
    jose = world.card(world.holder(name="José María Quispe"), imsi="716101234567890")
    maria = world.card(world.holder(name="MARIA Flores"), msisdn="+8613812344241")
    for text in (
        "4241",
        "…4241",
        "+51 987 654 241",
        "987654241",
        "51987654241",
        "98765",
        "小明",
        "王",
    ):
        assert wang in desk.search(text), text
    assert desk.search("4241") == [wang, maria] or desk.search("4241") == [maria, wang]
    assert desk.search("maria") == [jose, maria]
    assert desk.search("quis mari") == [jose]
    assert desk.search("567890") == [jose]
    assert desk.search("jose flores") == desk.search("...") == desk.search("") == []


def test_each_card_is_found_once_however_many_of_its_terms_are_meant(
    desk: Desk, world: World
) -> None:
    found = world.cards(5, world.holder(name="Ana Anaya"))
    assert sorted(desk.search("ana")) == found
    numbers = desk.search("9", size=3)
    assert sorted(numbers) == found


def test_nothing_of_another_book_is_shown(desk: Desk, world: World) -> None:
    other = other_book(world)
    theirs = world.card(world.holder(book_id=other, name="Zoe"), book_id=other)
    mine = world.card()
    world.check()
    world.send(
        providers=dict.fromkeys(Channel, always(Outcome(OutcomeKind.MESSAGE_DEAD, "twilio:21617")))
    )
    all_of_them = Desk(world, Viewer("root", {world.book(): Role.ADMIN, other: Role.ADMIN}))
    assert sorted(ids(all_of_them.cards())) == [theirs, mine]
    assert ids(desk.cards()) == [mine]
    assert desk.search("zoe") == []
    assert all_of_them.search("zoe") == [theirs]
    assert desk.ask(card_page.show, theirs) is None
    own = {row.id for row in world.rows(messages) if row.book_id == world.book()}
    lost = pages(lambda after: desk.ask(message_list.open_, after, message_list.LOST, 1))
    assert {row["id"] for row in lost} <= own
    for row in world.rows(messages):
        assert (desk.ask(message_list.show, row.id) is None) == (row.id not in own)
    nobody = Desk(world, Viewer("nobody", {}))
    assert not nobody.cards() + nobody.cards(unreached=True)
    assert not nobody.search("9")
    assert not nobody.ask(message_list.ended).rows
    assert not nobody.ask(today.next_days, TODAY, TODAY + 9 * DAY)


@pytest.mark.parametrize("size", [3, 7])
def test_cards_of_many_books_are_one_list(world: World, size: int) -> None:
    """Of some books there are many among the first, of others none."""
    dice, wanted = random.Random(size), {}
    books = [other_book(world, f"shop {number}") for number in range(7)]
    for number, book in enumerate(books):
        holder = world.holder(book_id=book)
        for _ in range(number):
            day = TODAY + dice.choice((1, 9 * number)) * DAY
            [card] = world.cards(1, holder, book_id=book, plan_end=day, operator="other")
            wanted[card] = day
    desk = Desk(world, Viewer("root", dict.fromkeys(books, Role.ADMIN)))
    assert ids(desk.cards(size)) == sorted(wanted, key=lambda card: (wanted[card], card))
    assert sorted(desk.search("rosa", size)) == sorted(wanted)


def test_a_card_page_has_all_that_belongs_to_it(desk: Desk, world: World) -> None:
    card = world.card()
    world.check()
    world.send(providers=dict.fromkeys(Channel, always(accepted(""))))
    world.live(card, LifeEvent.PAUSED)
    world.suppress(Channel.EMAIL, "ROSA@example.com".lower(), "opted_out")
    page = desk.ask(card_page.show, card)
    assert page.card["holder"] == "Rosa Quispe"
    assert ("plan_end", TODAY + 5 * DAY) in page.deadlines
    assert {row["state"] for row in page.reminders} >= {"sent"}
    assert len(page.messages) == 2
    assert page.events[0]["event"] == "paused"
    assert page.watched.card.id == card
    assert desk.ask(card_page.show, card + 1) is None


def test_whom_nobody_reached_is_told_until_somebody_is_reached(desk: Desk, world: World) -> None:
    dead = Outcome(OutcomeKind.MESSAGE_DEAD, "twilio:21617")
    lost = world.cards(3, world.holder(email=None))
    reached = world.card(world.holder(email=None, contact_phone="+51911111111"))
    world.check(ids=lost)
    world.send(channel=Channel.SMS, providers={Channel.SMS: always(dead)})
    world.check(ids=[reached])
    world.send(channel=Channel.SMS, providers={Channel.SMS: always(accepted(""))})
    assert ids(desk.cards(unreached=True)) == lost
    assert ids(desk.ask(today.nobody_reached, TODAY)) == lost
    assert {one.told for one in desk.cards(unreached=True)} == {HolderTold.UNREACHED}
    assert [one.told for one in desk.cards() if one.id == reached] == [HolderTold.SENT]
    world.live(lost[0], LifeEvent.RENEWED, plan_end=TODAY + 30 * DAY)
    assert ids(desk.cards(unreached=True)) == lost[1:]


def test_messages_that_ask_for_somebody_and_those_that_ended(desk: Desk, world: World) -> None:
    for number in range(4):
        world.card(world.holder(contact_phone=f"+5191111111{number}", email=None))
    world.check()
    world.send(channel=Channel.SMS, providers={Channel.SMS: always(accepted(""))})
    done = [row.id for row in world.rows(messages)]
    for number in range(3):
        world.card(world.holder(contact_phone=f"+5192222222{number}", email=None))
    world.check()
    fault = Outcome(OutcomeKind.CONFIG_FAULT, "twilio:20003")
    world.send(channel=Channel.SMS, providers={Channel.SMS: always(fault)})
    held = [row.id for row in world.rows(messages) if row.state == "held"]
    assert held

    def of(read: Any, *more: Any) -> list[int]:
        return [row["id"] for row in pages(lambda after: desk.ask(read, after, *more, size=2))]

    assert of(message_list.open_) == held[::-1]
    assert of(message_list.ended) == done[::-1]
    assert set(of(message_list.waiting)) >= set(held)
    shown = desk.ask(message_list.show, done[0])
    assert shown["tries"]
    assert shown["cards"][0]["id"] == shown["reminders"][0]["card_id"]


def test_next_days_count_the_deadlines_of_each_day(desk: Desk, world: World) -> None:
    world.cards(3, msisdn=None)
    world.cards(2, msisdn=None, plan_end=TODAY + 8 * DAY)
    world.cards(1, msisdn=None, plan_end=TODAY - DAY)
    found = desk.ask(today.next_days, TODAY, TODAY + 30 * DAY)
    ends = [(one.on_day, one.cards) for one in found if one.deadline == "plan_end"]
    assert ends == [(TODAY + 5 * DAY, 3), (TODAY + 8 * DAY, 2)]
    assert ids(desk.ask(today.in_danger, TODAY, 2)) == ids(desk.cards())[:2]


def test_notices_of_a_day_by_verdict_window_channel_and_reason(desk: Desk, world: World) -> None:
    dead = Outcome(OutcomeKind.MESSAGE_DEAD, "twilio:21617")
    world.cards(3, world.holder(email=None))
    world.card()
    world.check()
    answers = {Channel.SMS: always(dead), Channel.EMAIL: always(accepted(""))}
    world.send(providers=answers)
    promise = Promise(world.engine, world.rules, timedelta(minutes=6))
    lines = [line for line, _ in promise.lines(NOW - DAY, NOW + DAY, world.book(), NOW)]
    judge = promise.judge(NOW)

    def of(**filters: Any) -> list[Any]:
        wanted = NoticeFilters(**filters)
        return pages(
            lambda after: desk.ask(notices.listing, judge, NOW - DAY, NOW + DAY, wanted, after, 2)
        )

    assert [(one.id, one.verdict) for one in of()] == [(one.reminder, one.verdict) for one in lines]
    assert [one.late_seconds for one in of()] == [one.late_seconds for one in lines]
    assert [one.channel for one in of()] == [one.channel for one in lines]
    for verdict in {line.verdict for line in lines}:
        assert ids(of(verdicts=(Class(verdict),))) == [
            o.reminder for o in lines if o.verdict == verdict
        ]
    several = Class.ON_TIME, Class.UNREACHED
    assert ids(of(verdicts=several)) == [o.reminder for o in lines if o.verdict in several]
    emails = [one.reminder for one in lines if one.channel == "email"]
    assert ids(of(channel="email")) == emails
    assert ids(of(window="event")) == []
    said = [one.reminder for one in lines if one.reason == "twilio:21617"]
    assert ids(of(reason="twilio:21617")) == said
    assert said


def test_a_removed_card_is_in_no_list(desk: Desk, world: World) -> None:
    gone, left = world.cards(2)
    world.change(cards, gone, removed_at=NOW)
    assert gone in ids(world.rows(cards))
    assert desk.ask(card_page.show, gone) is None
    assert desk.ask(card_page.show, left) is not None
