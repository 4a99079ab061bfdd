"""Messages in the console: the list, the account of one, and what a keeper decides about it."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.integration.console_helpers import Browser, Console, console_of, hidden, text, where
from tests.integration.helpers import EMAIL, NOW, PHONE, World, always
from worker.core.cards import Channel
from worker.core.outcomes import Outcome, OutcomeKind, accepted
from worker.core.viewer import Role
from worker.store.tables import audit, card_events, messages, reminders
from worker.web.console.message import FRAMED_POLICY

FAULT = Outcome(OutcomeKind.CONFIG_FAULT, "twilio:20003")
LOST = Outcome(OutcomeKind.AMBIGUOUS, "twilio:timeout")
DEAD = Outcome(OutcomeKind.MESSAGE_DEAD, "twilio:21617")
ANSWERS = {Channel.EMAIL: always(accepted(""))}


@pytest.fixture
def console(world: World) -> Iterator[Console]:
    with console_of(world) as served:
        served.user()
        served.user("ana", Role.ADMIN)
        served.user("vera", Role.VIEWER)
        yield served


def english(console: Console, name: str) -> Browser:
    browser = console.browser(name)
    browser.post("/me/language", {"language": "en", "next": "/"})
    return browser


def told(world: World, outcome: Outcome, channel: Channel = Channel.SMS) -> int:
    """The message of a card's first notice over ``channel``, after an attempt that so ended."""
    world.card()
    world.check()
    world.send(providers={**ANSWERS, Channel.SMS: always(outcome)})
    return int(world.message(channel).id)


def test_what_asks_for_somebody_stands_first(console: Console, world: World) -> None:
    held = told(world, FAULT)
    arrived = world.message(Channel.EMAIL).id
    page = text(english(console, "vera").get("/messages"))
    assert "<h1>Messages that ask for somebody</h1>" in page
    assert re.findall(r'href="/messages/(\d+)"', page) == [str(held), str(arrived)]
    assert "looked at again" in page
    browser = console.browser("vera")
    for view, found in (("held", [held]), ("unknown", []), ("ended", [arrived]), ("lost", [])):
        shown = re.findall(r'href="/messages/(\d+)"', text(browser.get(f"/messages?state={view}")))
        assert shown == [str(one) for one in found], view
    assert str(held) in re.findall(
        r'href="/messages/(\d+)"', text(browser.get("/messages?state=waiting"))
    )
    for query in ("state=x", "after=x", "after=WyJhIl0", "state=waiting&after=WzFd", "book=99"):
        assert browser.get(f"/messages?{query}").status == 404, query


def test_a_list_goes_on_by_its_keys(console: Console, world: World) -> None:
    world.people(52)
    world.send(channel=Channel.SMS, providers={Channel.SMS: always(DEAD)})
    browser, page, found = console.browser("vera"), "/messages?state=failed", []
    while page:
        shown = text(browser.get(page))
        found += re.findall(r'href="/messages/(\d+)"', shown)
        page = next(
            iter(re.findall(r'href="(/messages\?state=failed&amp;after=[^"]+)"', shown)), ""
        )
        page = page.replace("&amp;", "&")
    assert found == sorted({str(row.id) for row in world.rows(messages)}, key=int, reverse=True)


def test_the_account_of_one_hides_who_and_what_acts_for_him(console: Console, world: World) -> None:
    told(world, accepted(""))
    browser = english(console, "vera")
    sms, email = world.message(Channel.SMS), world.message(Channel.EMAIL)
    page = text(browser.get(f"/messages/{sms.id}"))
    assert "<h1>Sent. Nobody has reported yet that it arrived.</h1>" in page
    assert "the provider took it" in page
    assert "1 segment" in page
    assert sms.body.split()[0] in page
    assert "plan ends · 7 days before: sent" in page
    assert PHONE not in page
    assert "What is to be done?" not in page, "a viewer only looks"
    page = text(browser.get(f"/messages/{email.id}"))
    assert (
        f'<iframe class="letter" sandbox title="The email" src="/messages/{email.id}/email">'
        in page
    )
    framed = browser.get(f"/messages/{email.id}/email")
    assert framed.headers["content-security-policy"] == FRAMED_POLICY
    assert email.subject in text(framed)
    assert EMAIL not in text(framed)
    assert not re.search(r"/[oubrtwf]/[0-9A-Za-z]{13,}", text(framed)), "a link acts for the holder"
    assert browser.get(f"/messages/{sms.id}/email").status == 404
    card = reminders_card(world)
    assert f'href="/messages/{sms.id}"' in text(browser.get(f"/cards/{card}"))


def reminders_card(world: World) -> int:
    return int(world.rows(reminders)[0].card_id)


def test_what_waits_is_tried_now_once_and_that_is_noted(console: Console, world: World) -> None:
    held = told(world, FAULT)
    browser, path = english(console, "rosa"), f"/messages/{held}/retry"
    form = hidden(browser.get(f"/messages/{held}"), path)
    for _ in range(2):
        assert where(browser.post(path, form)) == f"/messages/{held}?done=retry"
    assert world.message(Channel.SMS).next_attempt_at == NOW
    noted = [row for row in world.rows(audit) if row.action == "message_retry"]
    assert [(row.name, row.subject, row.subject_id) for row in noted] == [("rosa", "message", held)]
    [event] = [row for row in world.rows(card_events) if row.event == "message_retried"]
    assert event.detail == {"message": held, "source": "keeper", "by": "rosa"}
    assert "a message was tried at once" in text(browser.get(f"/cards/{event.card_id}"))


def test_of_two_who_decide_the_slower_one_is_told(console: Console, world: World) -> None:
    held = told(world, FAULT)
    browser = english(console, "rosa")
    page = browser.get(f"/messages/{held}")
    forms = {act: hidden(page, f"/messages/{held}/{act}") for act in ("retry", "cancel")}
    assert forms["retry"]["form_id"] == forms["cancel"]["form_id"], "one page, one decision"
    again = browser.get(f"/messages/{held}")
    late = hidden(again, f"/messages/{held}/retry")
    reply = browser.post(f"/messages/{held}/cancel", forms["cancel"])
    assert where(reply) == f"/messages/{held}?done=cancel"
    assert world.message(Channel.SMS).state == "cancelled"
    told_so = browser.post(f"/messages/{held}/retry", late)
    assert told_so.status == 409
    assert f'href="/messages/{held}"' in text(told_so)
    actions = [row.action for row in world.rows(audit)]
    assert (actions.count("message_cancel"), actions.count("message_retry")) == (1, 0)


@pytest.mark.parametrize(("arrived", "state"), [("yes", "sent"), ("no", "retryable")])
def test_an_administrator_settles_what_nobody_knows(
    console: Console, world: World, arrived: str, state: str
) -> None:
    unknown = told(world, LOST)
    path = f"/messages/{unknown}/settle"
    form = {"arrived": arrived, "attempts": "1"}
    assert console.browser("rosa").post(path, form).status == 403
    assert path not in text(console.browser("rosa").get(f"/messages/{unknown}"))
    browser = console.browser("ana")
    assert browser.post(path, {**form, "arrived": "perhaps"}).status == 400
    assert browser.post(path, {**form, "attempts": "2"}).status == 409, "of another attempt"
    assert world.message(Channel.SMS).state == "unknown"
    shown = hidden(browser.get(f"/messages/{unknown}"), path)
    assert where(browser.post(path, {**shown, "arrived": arrived})) == (
        f"/messages/{unknown}?done=settle"
    )
    assert world.message(Channel.SMS).state == state
    assert [row.action for row in world.rows(audit)][-1] == "message_settle"


def test_what_was_told_is_told_again_three_times_a_day(console: Console, world: World) -> None:
    sent = told(world, accepted(""))
    browser, path = english(console, "rosa"), f"/messages/{sent}/again"
    for number in range(1, 4):
        leads = where(browser.send(f"/messages/{sent}", path))
        new = max(row.id for row in world.rows(messages))
        assert leads == f"/messages/{new}?done=again"
        assert "It is told again by this message." in text(browser.get(leads))
        assert f"again-{number}" in {row.window for row in world.rows(reminders)}
        world.send(NOW + timedelta(minutes=number), providers={Channel.SMS: always(accepted(""))},
                   channel=Channel.SMS)  # fmt: skip
    refused = browser.send(f"/messages/{sent}", path)
    assert refused.status == 409
    assert "told three times today" in text(refused)
    assert f'href="/messages/{sent}"' in text(refused)
    assert [row.action for row in world.rows(audit)].count("message_again") == 3


def test_a_viewer_decides_nothing(console: Console, world: World) -> None:
    held = told(world, FAULT)
    for act in ("retry", "cancel", "settle", "again"):
        form = {"attempts": "1", "arrived": "yes"}
        assert console.browser("vera").post(f"/messages/{held}/{act}", form).status == 403, act
    assert world.message(Channel.SMS).state == "held"
