"""The calendar file of an email: one entry for each deadline that is still ahead."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.calendars import Event, events, read
from tests.unit.core_helpers import LIMA, RULES, SHANGHAI, T, a_card, a_holder, at
from worker.content.calendar import calendar
from worker.core.cards import Card, Destination, Kind, Language
from worker.core.deadlines import DeadlineKind
from worker.core.icalendar import Entry, Publisher, publish
from worker.core.life import LifeNotice
from worker.core.recheck import Item
from worker.core.reminders import ReminderKey, Subject

NOW = at("2026-06-05 10:00")
BY = Publisher("Chips Rosa", "avisos@example.com")
# The last minute of T in Lima.
LAST = datetime(2026, 6, 13, 4, 59, tzinfo=UTC)


def item(
    subject: Subject = DeadlineKind.PLAN_END,
    card: Card | None = None,
    *,
    to: Destination = Destination.EMAIL,
    dated: tuple[tuple[DeadlineKind, date], ...] = (),
    **changes: Any,
) -> Item:
    own = card or a_card(**changes)
    key = ReminderKey(subject, T, "plan_end-7d", to.channel, to.audience)
    return Item(own.id, key, NOW, NOW + timedelta(days=6), own, dated=dated)


def told(*items: Item, now: datetime = NOW, **holder: Any) -> list[Event]:
    """The entries of an email to a holder, none where there is no file."""
    text = calendar(items, a_holder(**holder), BY, RULES, now)
    return events(text.encode()) if text else []


def test_a_deadline_ahead_is_one_entry_at_its_last_minute() -> None:
    [event] = told(item(), language=Language.EN)
    assert event.at == LAST
    assert (event.stamp, event.cancelled) == (NOW.astimezone(UTC), False)
    assert event.summary == "Claro …4321: plan ends"
    assert (event.organizer, event.organizer_name) == ("avisos@example.com", "Chips Rosa")


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("kind", DeadlineKind)
def test_each_deadline_has_a_short_name_in_each_language(
    kind: DeadlineKind, language: Language
) -> None:
    card = a_card(operator="bitel", plan_end=None, last_topup=date(2026, 5, 30))
    if kind is DeadlineKind.PLAN_END:
        card = a_card(operator="bitel")
    if kind not in RULES.ladder(card):
        pytest.skip("no operator's pack knows this deadline")
    [event] = told(item(kind, card), language=language)
    assert event.language == language.value
    assert "Bitel" in event.summary
    assert "4321" in event.summary
    assert len(event.summary) <= 50


def test_every_kind_of_deadline_has_a_name_of_its_own() -> None:
    from worker.content.calendar import summary

    for language in Language:
        names = {summary(a_card(), kind, RULES, language) for kind in DeadlineKind}
        assert len(names) == len(DeadlineKind)


def test_a_card_without_a_number_is_named_by_its_operator_alone() -> None:
    [event] = told(item(msisdn=None, iccid=None, kind=Kind.ESIM), language=Language.ES_PE)
    assert event.summary == "Claro: vence el plan"


def test_a_deadline_that_has_passed_is_no_entry() -> None:
    assert told(item(), now=LAST - timedelta(minutes=1))
    assert told(item(), now=LAST) == []
    assert told(item(), now=LAST + timedelta(days=3)) == []


def test_of_a_line_the_last_safe_minute_is_that_before_its_day() -> None:
    """At which hour of that day an operator takes it back, nobody tells."""
    card = a_card(operator="movistar", plan_end=None, last_topup=date(2025, 11, 20))
    on = RULES.ladder(card)[DeadlineKind.LINE_LOSS].on
    [event] = told(item(DeadlineKind.LINE_LOSS, card))
    assert (
        event.at.astimezone(ZoneInfo(LIMA)).isoformat()
        == f"{on - timedelta(days=1)}T23:59:00-05:00"
    )


@pytest.mark.parametrize("notice", [n for n in LifeNotice if n != LifeNotice.RENEWAL_RECORDED])
def test_news_of_a_card_is_no_entry(notice: LifeNotice) -> None:
    assert told(item(notice)) == []


@pytest.mark.parametrize("to", [Destination.SMS, Destination.GUARDIAN])
def test_only_an_email_to_the_holder_has_one(to: Destination) -> None:
    assert told(item(to=to)) == []


def test_a_renewal_moves_the_entry_and_raises_its_sequence() -> None:
    [before] = told(item())
    [after] = told(
        item(LifeNotice.RENEWAL_RECORDED, plan_end=date(2026, 7, 12), watched_since=NOW),
        now=NOW + timedelta(minutes=1),
    )
    assert after.uid == before.uid
    assert after.sequence > before.sequence
    assert after.at == datetime(2026, 7, 13, 4, 59, tzinfo=UTC)
    assert not after.cancelled
    # It had no effect: the former date holds again, and calendars must take that too.
    undone = NOW + timedelta(days=1)
    [back] = told(item(watched_since=undone), now=undone)
    assert (back.uid, back.at) == (before.uid, before.at)
    assert back.sequence > after.sequence


def test_a_renewal_moves_whatever_an_email_had_dated_and_cancels_what_is_gone() -> None:
    card = a_card(
        kind=Kind.RETENTION, operator="movistar", plan_end=None, last_topup=date(2026, 6, 5),
        watched_since=NOW,
    )  # fmt: skip
    dated = (
        (DeadlineKind.PLAN_END, date(2026, 6, 9)),
        (DeadlineKind.LINE_LOSS, date(2026, 6, 20)),
    )
    plan, line = told(item(LifeNotice.RENEWAL_RECORDED, card, dated=dated), language=Language.EN)
    assert (plan.summary, plan.cancelled, plan.alarm) == ("Movistar …4321: plan ends", True, None)
    assert plan.at == datetime(2026, 6, 10, 4, 59, tzinfo=UTC)
    assert (line.summary, line.cancelled) == ("Movistar …4321: number may be lost", False)
    begins = RULES.ladder(card)[DeadlineKind.LINE_LOSS].begins
    assert line.at == begins.astimezone(UTC) - timedelta(minutes=1)


def test_a_renewal_of_a_card_without_a_plan_says_nothing_new_to_a_calendar() -> None:
    card = a_card(kind=Kind.RETENTION, plan_end=None, last_topup=date(2026, 6, 5))
    assert told(item(LifeNotice.RENEWAL_RECORDED, card)) == []


def test_entries_differ_by_card_and_deadline_and_tell_no_number() -> None:
    cards = [a_card(id=n, msisdn=f"+5199988877{n}", iccid=f"895110000000000{n}") for n in range(3)]
    items = [item(card=card) for card in cards]
    items.append(item(DeadlineKind.LINE_LOSS, a_card(last_topup=date(2026, 5, 20), plan_end=None)))
    found = told(*items)
    assert len({event.uid for event in found}) == len(items)
    text = calendar(items, a_holder(), BY, RULES, NOW)
    assert text
    whole = text.replace("\r\n ", "")
    for card in cards:
        assert str(card.msisdn)[-6:] not in whole
        assert str(card.iccid)[-6:] not in whole
    assert all(event.uid.endswith("@example.com") for event in found)


def test_an_entry_is_private_and_takes_nobodys_time() -> None:
    text = calendar([item()], a_holder(), BY, RULES, NOW)
    assert text
    [event] = read(text.encode()).components
    assert (event.one("CLASS").value, event.one("TRANSP").value) == ("PRIVATE", "TRANSPARENT")


def test_two_notices_of_one_deadline_are_one_entry() -> None:
    recorded = item(LifeNotice.RENEWAL_RECORDED)
    assert len(told(item(), item(), recorded)) == 1


@pytest.mark.parametrize(
    ("zone", "now", "alarm"),
    [
        (LIMA, NOW, "2026-06-11 09:00"),
        (SHANGHAI, NOW, "2026-06-12 09:00"),
        ("Europe/Madrid", NOW, "2026-06-12 09:00"),
        # The day before is over or has begun: on the day itself, if that opens in time.
        (LIMA, at("2026-06-11 09:00"), "2026-06-12 09:00"),
        (SHANGHAI, at("2026-06-12 10:00", SHANGHAI), "2026-06-13 09:00"),
        ("Europe/Madrid", at("2026-06-12 10:00", "Europe/Madrid"), None),
        (LIMA, at("2026-06-12 09:30"), None),
    ],
)
def test_it_rings_the_day_before_when_the_readers_day_opens(
    zone: str, now: datetime, alarm: str | None
) -> None:
    [event] = told(item(), now=now, time_zone=zone)
    assert event.alarm == (at(alarm, zone) if alarm else None)


def test_it_rings_at_the_hour_of_the_clock_where_clocks_change_that_night() -> None:
    """In New York clocks go forward on 8 March 2026."""
    card = a_card(time_zone="America/New_York", plan_end=date(2026, 3, 8))
    now = at("2026-03-01 10:00", "America/New_York")
    [event] = told(item(card=card), now=now, time_zone="America/New_York")
    assert event.at == datetime(2026, 3, 9, 3, 59, tzinfo=UTC)
    assert event.alarm == at("2026-03-07 09:00", "America/New_York")


def test_the_longest_email_has_a_small_calendar() -> None:
    """125 cards go in one email; its HTML is some 90 KB."""
    cards = [a_card(id=n, msisdn=f"+51987{n:06}") for n in range(125)]
    text = calendar([item(card=card) for card in cards], a_holder(), BY, RULES, NOW)
    assert text
    assert len(events(text.encode())) == 125
    assert len(text.encode()) < 80_000


HOSTILE = '卡;卡, "Rosa" \\ SIM\r\nATTENDEE:mailto:a@example.com\t…' + "长" * 40


def test_what_stands_in_an_entry_begins_no_line_of_its_own() -> None:
    entry = Entry("a@b", -1, LAST, HOSTILE, timedelta(hours=2))
    text = publish([entry], Publisher(HOSTILE, "o'a+b%@example.com"), "zh-Hans", NOW)
    [event] = events(text.encode())
    assert event.summary.startswith('卡;卡, "Rosa" \\ SIM ATTENDEE:mailto:a@example.com …长')
    assert event.organizer_name.startswith("卡;卡, 'Rosa' \\ SIM ATTENDEE")
    assert (event.organizer, event.sequence) == ("o%27a+b%25@example.com", 0)


_ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@given(_ANY, _ANY)
def test_any_text_is_folded_and_read_again_as_it_was(summary: str, name: str) -> None:
    entry = Entry("a@b", 1, LAST, summary, timedelta(hours=2))
    calendar = read(publish([entry], Publisher(name, "a@b"), "en", NOW).encode())
    [event] = calendar.components
    plain = "".join(" " if ord(c) < 32 or 127 <= ord(c) < 160 else c for c in summary)
    assert event.one("SUMMARY").text.split() == plain.split()


def test_an_instant_is_written_in_utc_whatever_its_zone() -> None:
    entry = Entry("a@b", 1, LAST.astimezone(ZoneInfo(SHANGHAI)), "x")
    [event] = events(publish([entry], BY, "en", NOW).encode())
    assert event.at == LAST
