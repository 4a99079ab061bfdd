"""A reported renewal as a question: its links, its pages, what the message carries, and a diary of
what a holder receives when nobody ever answers. From rows and commands to pages and mailboxes."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from tests.integration import stories
from tests.integration.helpers import EMAIL, MORNING, NIGHT, NOW, PHONE, TODAY, World
from tests.integration.sandbox_helpers import mailbox
from tests.integration.test_links import app_at, everything, send, text, web
from worker.cli import cli
from worker.content.letter import Letter, Notice
from worker.content.render import Content
from worker.core.cards import Channel, Kind, Language
from worker.core.life import LifeEvent
from worker.core.segments import measure
from worker.core.tokens import LIFETIMES, Purpose
from worker.store.engine import reading
from worker.store.tables import books, card_events, cards, messages, reminders
from worker.store.views import next_look

SMS, MAIL = Channel.SMS, Channel.EMAIL
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FORMER, NEW_END = TODAY + timedelta(days=5), TODAY + timedelta(days=35)


@dataclass
class Reading:
    """The real texts, and what they were written from."""

    content: Content
    letters: list[Letter] = field(default_factory=list)

    def sms(self, letter: Letter) -> Any:
        self.letters.append(letter)
        return self.content.sms(letter)

    def email(self, letter: Letter) -> Any:
        self.letters.append(letter)
        return self.content.email(letter)


@contextmanager
def read(world: World) -> Iterator[list[Letter]]:
    """The letters that are composed meanwhile, on their way from the database to the mailbox."""
    before = world.content
    reading_ = Reading(before)
    world.content = reading_  # type: ignore[assignment]
    try:
        yield reading_.letters
    finally:
        world.content = before


def told(world: World, now: datetime, event: str) -> Notice:
    """Check, send, and return the notice of ``event`` in the email that went out."""
    with read(world) as letters:
        world.check(now)
        send(world, now)
    found = [n for letter in letters if letter.unsubscribe for n in letter.notices]
    [notice] = [n for n in found if n.event == event]
    return notice


def path(link: str | None) -> str:
    """``/w/token`` of a link."""
    assert link is not None
    found = re.fullmatch(r"http://127\.0\.0\.1:8800(/[wf]/[0-9A-Za-z]+)", link)
    assert found
    return found[1]


def renewed(world: World, now: datetime = NOW) -> tuple[int, str, str]:
    """A card whose renewal was reported; the links of the message that told so."""
    card = world.card()
    world.live(card, LifeEvent.RENEWED, now, plan_end=NEW_END, receipt_ref="R-777")
    notice = told(world, now, "renewal_recorded")
    return card, path(notice.works_link), path(notice.fails_link)


def card_of(world: World) -> Any:
    return world.rows(cards)[0]


def test_both_messages_of_an_open_renewal_carry_both_links_and_the_receipt(world: World) -> None:
    _, works, fails = renewed(world)
    asked = told(world, NOW + DAY, "renewal_not_effective")
    assert asked.receipt_ref == "R-777"
    again = (path(asked.works_link), path(asked.fails_link))
    with web(world, NOW + DAY) as ask:
        for link in (works, again[0]):
            assert "Does it work?" in text(ask("GET", link))
        for link in (fails, again[1]):
            assert "Does it not work?" in text(ask("GET", link))


def test_no_other_notice_has_them_nor_has_one_where_there_is_nothing_to_answer(
    world: World,
) -> None:
    world.card()
    deadline = told(world, NOW, "plan_end_near")
    assert (deadline.works_link, deadline.fails_link, deadline.receipt_ref) == (None, None, None)
    card, *_ = (world.rows(cards)[0].id,)
    world.live(card, LifeEvent.RENEWED, NOW, plan_end=NEW_END, receipt_ref="R-777")
    world.live(card, LifeEvent.CONFIRMED, NOW)
    settled = told(world, NOW, "renewal_recorded")
    assert (settled.works_link, settled.fails_link) == (None, None)
    world.live(card, LifeEvent.RENEWAL_FAILED, NOW + HOUR)
    failed = told(world, NOW + HOUR, "renewal_failed")
    assert (failed.works_link, failed.receipt_ref) == (None, "R-777")


@pytest.mark.parametrize("days", [0, 1, 2])
def test_it_works_does_what_the_command_does_and_once(world: World, days: int) -> None:
    card, works, fails = renewed(world)
    later = NOW + days * DAY + timedelta(minutes=1)
    world.check(later)
    send(world, later)
    before = everything(world)
    with web(world, later) as ask:
        for _ in range(2):
            page = text(ask("GET", works))
            assert "Claro SIM ending 0000 work" in page
            assert '<p class="from">Vigencia</p>' in page
            assert re.findall(r'href="\.\.(/f/\w+)"', page)
        assert everything(world) == before
        for _ in range(3):
            page = text(ask("POST", works))
            assert "Thank you" in page
            assert "17 July 2026" in page
        assert "Thank you" in text(ask("GET", works))
        # The other answer is not taken any more, and says why.
        for method in ("GET", "POST"):
            page = text(ask(method, fails))
            assert "Already answered" in page
            assert "<button" not in page
    row = card_of(world)
    assert (row.plan_end, row.renewed_at, row.former_plan_end) == (NEW_END, None, None)
    events = [event for _, event in world.events()]
    assert events.count("confirmed") == events.count("holder_answered") == 1
    detail = world.rows(card_events)[-1].detail
    assert (detail["answer"], detail["source"]) == ("confirmed", "link")
    world.check(later + 4 * DAY)
    send(world, later + 4 * DAY)
    assert {r.deadline for r in world.rows(reminders)} <= {
        "renewal_recorded",
        "renewal_not_effective",
    }
    assert card


def test_it_does_not_work_does_what_the_command_does_and_the_windows_resume(world: World) -> None:
    _, works, fails = renewed(world)
    later = NOW + DAY
    world.check(later)
    send(world, later)
    with web(world, later) as ask:
        before = everything(world)
        assert "Does it not work?" in text(ask("GET", fails))
        assert everything(world) == before
        for _ in range(3):
            page = text(ask("POST", fails))
            assert "Noted" in page
            assert "do not pay again" in page
        assert "Already answered" in text(ask("POST", works))
    row = card_of(world)
    assert (row.plan_end, row.renewed_at) == (FORMER, None)
    told_of = told(world, later, "renewal_failed")
    assert told_of.receipt_ref == "R-777"
    assert ("plan_end", "pending") in {(r.deadline, r.state) for r in world.rows(reminders)} | {
        (r.deadline, "pending") for r in world.rows(reminders) if r.state == "sent"
    }
    assert [event for _, event in world.events()].count("renewal_failed") == 1


def test_it_works_is_taken_after_the_windows_resumed_and_ends_them(world: World) -> None:
    _, works, _ = renewed(world)
    for days in (1, 3):
        world.check(NOW + days * DAY)
    assert card_of(world).plan_end == FORMER
    late = NOW + 3 * DAY + HOUR
    with web(world, late) as ask:
        assert "Does it work?" in text(ask("GET", works))
        assert "17 July 2026" in text(ask("POST", works))
    row = card_of(world)
    assert (row.plan_end, row.last_topup) == (NEW_END, TODAY)
    assert not [r for r in world.rows(reminders) if r.state == "pending"]


def test_a_link_of_an_earlier_renewal_says_nothing_of_a_later_one(world: World) -> None:
    card, works, fails = renewed(world)
    world.live(card, LifeEvent.CONFIRMED, NOW + HOUR)
    later = NOW + 30 * DAY
    world.live(card, LifeEvent.RENEWED, later, plan_end=NEW_END + 30 * DAY)
    before = everything(world)
    with web(world, later + HOUR) as ask:
        for link in (works, fails):
            for method in ("GET", "POST"):
                page = text(ask(method, link))
                assert "This has changed" in page
                assert "<button" not in page
    assert everything(world) == before
    assert card_of(world).renewed_at == later


def test_a_new_card_book_settles_the_question_and_its_links(world: World) -> None:
    """The book is taken at its word: there is nothing to say any more."""
    card, works, fails = renewed(world)
    world.change(cards, card, renewed_at=None, former_plan_end=None)  # as an import leaves it
    before = everything(world)
    with web(world) as ask:
        for link in (works, fails):
            assert "This has changed" in text(ask("POST", link))
    assert everything(world) == before


def test_a_card_that_went_to_somebody_else_cannot_be_answered_for(world: World) -> None:
    card, works, fails = renewed(world)
    world.change(cards, card, holder_id=world.holder(name="Somebody else"))
    before = everything(world)
    with web(world) as ask:
        for link in (works, fails):
            assert ask("GET", link).status == ask("POST", link).status == 404
    assert everything(world) == before


def test_these_links_expire_as_other_answers_do(world: World) -> None:
    _, works, fails = renewed(world)
    with web(world, NOW + LIFETIMES[Purpose.WORKS] + DAY) as ask:
        for link in (works, fails):
            assert ask("GET", link).status == ask("POST", link).status == 410


def test_a_token_of_one_answer_is_none_of_the_other(world: World) -> None:
    _, works, fails = renewed(world)
    with web(world) as ask:
        for link, wrong in ((works, "/f/"), (fails, "/w/"), (works, "/r/"), (fails, "/t/")):
            assert ask("POST", wrong + link.split("/")[2]).status == 404


def test_who_says_i_have_topped_up_finds_both_answers_on_the_page(world: World) -> None:
    world.card()
    link = told(world, NOW, "plan_end_near").renewed_link
    assert link
    with web(world) as ask:
        page = text(ask("POST", link.removeprefix("http://127.0.0.1:8800"), "end=2026-07-17"))
        assert "Recorded" in page
        [works] = re.findall(r'href="\.\.(/w/\w+)"', page)
        [fails] = re.findall(r'href="\.\.(/f/\w+)"', page)
        assert "Does it not work?" in text(ask("GET", fails))
        assert "Thank you" in text(ask("POST", works))
    assert card_of(world).renewed_at is None


def test_the_pages_carry_the_name_of_the_book_that_sent_the_message(world: World) -> None:
    _, works, fails = renewed(world)
    world.change(books, signature="KeepSIM")
    app = app_at(world, NOW)
    assert app.signer
    message = app.signer.sign(Purpose.STOP_EMAIL, world.message(MAIL).id, NOW)
    back = app.signer.sign(Purpose.RESUME, world.message(MAIL).id, NOW)
    with web(world) as ask:
        for link in (works, fails, f"/u/{message}", f"/b/{back}"):
            page = text(ask("GET", link))
            assert '<p class="from">KeepSIM</p>' in page
            assert re.search("<title>[^<]+ · KeepSIM</title>", page)
            assert "Vigencia" not in page


# By the command line, to the mailbox.


@pytest.fixture
def typed(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`vigencia …` as it is typed, and its document."""
    url = world.engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("VIGENCIA_SANDBOX__URL", world.sandbox)
    monkeypatch.chdir(tmp_path)
    world.read_timeout = 5.0

    def run(*words: str, as_json: bool = True) -> Any:
        result = CliRunner().invoke(cli, [*words, *(["--json"] if as_json else [])])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout) if as_json else result.stdout

    return run


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_the_receipt_that_was_entered_reaches_the_mailbox(world: World, typed: Any) -> None:
    card = str(world.card(plan_end=TODAY + 60 * DAY))
    line = ("cards", "renew", card, "--plan-end", "2026-09-30")
    typed(*line, "--receipt", "R-777", "--now", NOW.isoformat())
    world.work(NOW)
    world.work(NOW + DAY)
    typed("cards", "fail", card, "--now", (NOW + 2 * DAY).isoformat())
    world.work(NOW + 2 * DAY)
    letters = mailbox(world.sandbox)["email"][EMAIL]
    assert len(letters) == 3  # recorded, asked, failed
    for letter in letters:
        assert "R-777" in letter["text"]
        assert "R-777" in letter["html"]
    # The receipt of one payment does not name the next.
    typed(*line, "--now", (NOW + 3 * DAY).isoformat())
    world.work(NOW + 3 * DAY)
    assert "R-777" not in mailbox(world.sandbox)["email"][EMAIL][-1]["text"]


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_card_shows_that_a_question_is_open_and_until_when(world: World, typed: Any) -> None:
    card = str(world.card())
    assert typed("cards", "show", card)["renewal"] is None
    line = ("cards", "renew", card, "--plan-end", NEW_END.isoformat())
    typed(*line, "--now", NOW.isoformat())
    shown = typed("cards", "show", card)["renewal"]
    assert (shown["state"], shown["asked"]) == ("open", False)
    assert datetime.fromisoformat(shown["asks_at"]) == NOW + DAY
    assert datetime.fromisoformat(shown["answer_by"]) == NOW + 3 * DAY
    assert shown["former_plan_end"] == FORMER.isoformat()
    assert "2026-06-15 10:00 Lima" in typed("cards", "show", card, as_json=False)
    world.check(NOW + DAY)
    shown = typed("cards", "show", card)["renewal"]
    assert (shown["asked"], datetime.fromisoformat(shown["asks_at"])) == (True, NOW + DAY)
    world.check(NOW + 3 * DAY)
    shown = typed("cards", "show", card)["renewal"]
    assert (shown["state"], shown["claimed_plan_end"]) == ("unanswered", NEW_END.isoformat())
    assert "not answered in time" in typed("cards", "show", card, as_json=False)
    typed("cards", "confirm", card, "--now", (NOW + 4 * DAY).isoformat())
    assert typed("cards", "show", card)["renewal"] is None


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_mistyped_end_date_is_corrected_without_a_word(world: World, typed: Any) -> None:
    """At night: the notice still waits, and tells the right date in the morning. By day: it was
    told, and nobody is told again."""
    card = str(world.card())
    typed("cards", "renew", card, "--plan-end", "2026-07-11",
          "--now", NIGHT.isoformat())  # fmt: skip
    world.work(NIGHT)
    again = typed("cards", "renew", card, "--plan-end", "2026-07-17",
                  "--now", (NIGHT + HOUR).isoformat())  # fmt: skip
    assert (again["event"], again["notice"]) == ("corrected", None)
    world.work(NIGHT + HOUR)
    world.work(MORNING)
    [sms] = mailbox(world.sandbox)["sms"][PHONE]
    assert "17 Jul" in sms["body"]
    later = MORNING + 2 * DAY
    done = typed("cards", "renew", card, "--plan-end", "2026-07-18", "--correct",
                 "--now", later.isoformat())  # fmt: skip
    assert (done["event"], done["notice"]) == ("corrected", None)
    row = card_of(world)
    assert (row.plan_end, row.renewed_at) == (date(2026, 7, 18), NIGHT)
    world.work(later)
    told_of = [m.subject for m in world.rows(messages) if m.channel == MAIL and m.sent_at]
    assert len(told_of) == 2  # recorded, and the question of the second day


# The diary.

LIMA, SHANGHAI = "America/Lima", "Asia/Shanghai"
# Words that ask for money, in every language of these two readers.
_PAY = re.compile(r"[Rr]ecargue (hoy|ahora|ya|antes)|请现在|请马上|今天就?续费|现在就?续费")


_PLAN: dict[str, Any] = {"kind": Kind.DATA, "plan_end": date(2026, 6, 12), "plan_days": 30}
# Entel takes the number back after 60 days: on 14 June.
_LINE: dict[str, Any] = {
    "kind": Kind.RETENTION,
    "operator": "entel",
    "plan": None,
    "plan_end": None,
    "plan_days": None,
    "last_topup": date(2026, 4, 15),
}
# The plan ends on 12 June; paid, and entered by the shop, on the evening of the 11th. A day later
# one question, then nothing for two days, and then what the card has lost by its former date.
_PLAN_STORY = """
    05/06 10:00 plan_end sms, email
    11/06 09:00 plan_end sms, email
    11/06 18:00 renewal_recorded sms, email
    12/06 18:00 renewal_not_effective sms, email
    15/06 09:00 plan_end sms, email
"""
# On the clock of Shanghai the same plan ends at 12:59 on the 13th: all is a day later.
_PLAN_STORY_THERE = """
    06/06 09:00 plan_end sms, email
    12/06 09:00 plan_end sms, email
    12/06 18:00 renewal_recorded sms, email
    13/06 18:00 renewal_not_effective sms, email
    16/06 09:00 plan_end sms, email
"""
# Paid at noon of the 12th. The line can be lost from the 14th on, so the question comes in the
# evening, and the warning in the next morning, while a day is left.
_LINE_STORY = """
    05/06 10:00 line_loss sms, email
    07/06 09:00 line_loss sms, email
    11/06 09:00 line_loss sms
    12/06 12:00 renewal_recorded sms, email
    12/06 18:00 renewal_not_effective sms, email
    13/06 09:00 line_loss sms, email
    15/06 09:00 line_loss email
"""


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("zone", "language", "phone", "card", "paid", "holds", "story"),
    [
        (LIMA, "es-PE", PHONE, _PLAN, (11, 18), (14, 18), _PLAN_STORY),
        (SHANGHAI, "zh-Hans", "+8613800138000", _PLAN, (12, 18), (15, 18), _PLAN_STORY_THERE),
        (LIMA, "es-PE", PHONE, _LINE, (12, 12), (13, 9), _LINE_STORY),
    ],
    ids=["plan in Lima", "plan in Shanghai", "line in Lima"],
)
def test_the_diary_of_a_holder_whose_renewal_nobody_ever_confirms(
    world: World,
    typed: Any,
    zone: str,
    language: str,
    phone: str,
    card: dict[str, Any],
    paid: tuple[int, int],
    holds: tuple[int, int],
    story: str,
) -> None:
    """Day by day, from instant of change to instant of change."""

    def here(day: int, hour: int) -> datetime:
        return datetime(2026, 6, day, hour, tzinfo=ZoneInfo(zone)).astimezone(UTC)

    begin, entered = here(5, 10), here(*paid)
    holder = world.holder(language=language, time_zone=zone, contact_phone=phone)
    own = str(world.card(holder, watched_since=begin, **card))
    play(world, begin, entered)
    new_end = ("--plan-end", "2026-07-11") if card["plan_end"] else ()
    typed("cards", "renew", own, *new_end, "--now", entered.isoformat())
    play(world, entered, here(20, 0))
    assert diary(world, zone) == [line.strip() for line in story.strip().splitlines()]
    received = mailbox(world.sandbox)
    assert len(received["sms"][phone]) == sum("sms" in line for line in story.splitlines())
    assert len(received["email"][EMAIL]) == sum("email" in line for line in story.splitlines())
    meanwhile = [row.body for row in world.rows(messages) if entered <= row.sent_at < here(*holds)]
    assert len(meanwhile) == 4
    assert not [body for body in meanwhile if _PAY.search(body)]
    assert {r.state for r in world.rows(reminders)} <= {"sent", "delivered"}


def play(world: World, now: datetime | None, end: datetime) -> None:
    """`vigencia once` at every instant at which something is due, before ``end``."""
    while now is not None and now < end:
        world.work(now)
        with reading(world.engine) as conn:
            now = next_look(conn)


def diary(world: World, zone: str) -> list[str]:
    """What was sent, as its reader's clock and calendar show it, one line for each minute."""
    lines: dict[tuple[datetime, str], list[str]] = {}
    by_id = {row.id: row for row in world.rows(messages)}
    for reminder in world.rows(reminders):
        if reminder.state in ("sent", "delivered"):
            sent_at = by_id[reminder.message_id].sent_at.replace(second=0, microsecond=0)
            lines.setdefault((sent_at, reminder.deadline), []).append(reminder.channel)
    order = ["sms", "email"]
    return [
        f"{at.astimezone(ZoneInfo(zone)):%d/%m %H:%M} {what} "
        f"{', '.join(sorted(channels, key=order.index))}"
        for (at, what), channels in sorted(lines.items())
    ]


_A_DAY_AGO = re.compile(
    r"more than 24 hours|after 24h|más de 24 horas|a las 24 h|超[过過]24|24小[时時][后後]\("
)
_NEVER_HEARD = re.compile(
    r"know of no|no tenemos registro|没有收到充值的消息|沒有收到儲值的消息", re.IGNORECASE
)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("phone", ["+447400123456", "+51987000001"])
@pytest.mark.parametrize("language", Language)
def test_a_line_that_is_lost_soon_is_asked_about_in_words_that_are_true(
    world: World, language: Language, phone: str
) -> None:
    """Reported an hour before the loss can happen, asked in the morning: ten hours later. And what
    was reported is not called unknown once the line may be lost."""
    loss = datetime(2026, 6, 13, 5, tzinfo=UTC)
    holder = world.holder(language=language, contact_phone=phone)
    world.card(
        holder,
        kind=Kind.RETENTION,
        operator="entel",
        plan=None,
        plan_days=None,
        plan_end=None,
        last_topup=date(2026, 4, 14),
    )
    world.live(1, LifeEvent.RENEWED, loss - HOUR, receipt_ref="R-1")
    got = stories.play(world, loss - HOUR, loss + 3 * DAY)
    [sms, *_] = [one for one in got if one.channel == "sms"]
    [asked, *_, lost] = [one for one in got if one.channel == "email"]
    assert sms.at == asked.at == loss + 9 * HOUR
    top = asked.text.split("\n== ")[0]
    for words in (sms.text, asked.subject, top):
        assert not _A_DAY_AGO.search(words)
    assert not re.search(r"0000\d", sms.text)
    assert "12" in top
    assert measure(sms.text).segments == 1
    assert lost.at == loss + 33 * HOUR
    assert not _NEVER_HEARD.search(lost.text)


def renewals_of(world: World) -> list[tuple[str, datetime]]:
    """What was sent about a renewal, by email, and when."""
    by_id = {row.id: row for row in world.rows(messages)}
    return [
        (row.deadline, by_id[row.message_id].sent_at.replace(second=0, microsecond=0))
        for row in world.rows(reminders)
        if row.channel == MAIL and row.state in ("sent", "delivered")
        if row.deadline.startswith("renewal_")
    ]


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("entered", "story"),
    [
        ((3, 30), [("renewal_not_effective", (9, 0))]),
        ((8, 0), [("renewal_recorded", (9, 0)), ("renewal_not_effective", (15, 0))]),
        ((6, 30), [("renewal_recorded", (9, 0)), ("renewal_not_effective", (12, 30))]),
    ],
    ids=["one message for both", "six hours later", "as late as the windows allow"],
)
def test_a_question_does_not_follow_at_the_heels_of_the_message_before_it(
    world: World, entered: tuple[int, int], story: list[tuple[str, tuple[int, int]]]
) -> None:
    """Reported in the night before the last day on which the line cannot be lost."""

    def here(hour: int, minute: int) -> datetime:
        return datetime(2026, 6, 12, hour, minute, tzinfo=ZoneInfo(LIMA)).astimezone(UTC)

    world.card(world.holder(), **{**_LINE, "last_topup": date(2026, 4, 14)})
    world.live(1, LifeEvent.RENEWED, here(*entered), receipt_ref="R-1")
    stories.play(world, here(*entered), here(20, 0))
    assert renewals_of(world) == [(what, here(*when)) for what, when in story]
    # However that went, the warning comes by the next morning, and hours after the question.
    stories.play(world, here(20, 0), here(20, 0) + 14 * HOUR)
    by_id = {row.id: row for row in world.rows(messages)}
    warned = [
        by_id[r.message_id].sent_at for r in world.rows(reminders) if r.deadline == "line_loss"
    ]
    assert warned
    assert here(*story[-1][1]) + 6 * HOUR <= min(warned) <= here(9, 1) + DAY


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("away", "asked"), [(timedelta(hours=23), timedelta(hours=29)), (HOUR, DAY)]
)
def test_a_message_that_left_late_leaves_the_question_its_distance(
    world: World, away: timedelta, asked: timedelta
) -> None:
    """Nothing runs for so long after the report; the question is due a day after it."""
    world.card(plan_end=TODAY + 40 * DAY)
    world.live(1, LifeEvent.RENEWED, NOW, plan_end=TODAY + 70 * DAY)
    stories.play(world, NOW + away, NOW + 2 * DAY)
    assert renewals_of(world) == [
        ("renewal_recorded", NOW + away),
        ("renewal_not_effective", NOW + asked),
    ]
