"""What a keeper records in the console can be taken back for a minute, before anybody is told."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.integration.console_helpers import Browser, Console, console_of, hidden, text, where
from tests.integration.helpers import NOW, PHONE, TODAY, World
from tests.integration.test_console_pages import entered, say
from worker.core.cards import Channel
from worker.core.viewer import Role
from worker.pipeline.consent import Consent
from worker.store.tables import (
    audit,
    card_events,
    cards,
    holders,
    messages,
    reminders,
    suppressions,
)

sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
MINUTE = timedelta(seconds=60)
# The hidden fields of a page with one form.
FIELD = re.compile(r'name="(form_id|last_event)" value="([^"]*)"')
END = TODAY + timedelta(days=35)


@pytest.fixture
def console(world: World) -> Iterator[Console]:
    with console_of(world) as served:
        served.user()
        yield served


@pytest.fixture
def rosa(console: Console) -> Browser:
    browser = console.browser("rosa")
    browser.post("/me/language", {"language": "en", "next": "/"})
    return browser


def test_a_renewal_is_held_for_a_minute_and_taken_back(
    console: Console, world: World, rosa: Browser
) -> None:
    card = entered(world, world.card())
    page, before = f"/cards/{card}", world.rows(cards)[0].plan_end
    say(rosa, card, "renewed", plan_end=str(END))
    world.send()
    assert {row.state for row in world.rows(messages)} == {"pending"}
    console.moment = NOW + timedelta(seconds=3)
    shown = text(rosa.get(page))
    assert "Recorded: renewed." in shown
    assert "The holder is told in 57 seconds." in shown
    form = hidden(rosa.get(page), f"{page}/undo")
    for _ in range(2):
        assert where(rosa.post(f"{page}/undo", form)) == f"{page}?done=undone"
    assert world.rows(cards)[0].plan_end == before
    trail = [(row.event, row.detail.get("by")) for row in world.rows(card_events)]
    assert trail == [("renewed", "rosa"), ("undone", "rosa")]
    assert [row.action for row in world.rows(audit)][-2:] == ["renewed", "undone"]
    shown = text(rosa.get(f"{page}?done=undone"))
    assert "Taken back" in shown
    assert "(renewed)" in shown
    assert f"{page}/undo" not in shown
    world.send(NOW + MINUTE)
    assert {row.state for row in world.rows(messages)} == {"cancelled"}
    assert say(rosa, card, "renewed", plan_end=str(END)) == f"{page}?done=renewed"
    world.send(console.moment + MINUTE)
    assert {row.state for row in world.rows(messages)} == {"cancelled", "sent"}


@sqlite
def test_who_is_too_late_or_may_only_look_undoes_nothing(
    console: Console, world: World, rosa: Browser
) -> None:
    card = entered(world, world.card())
    page = f"/cards/{card}"
    say(rosa, card, "paused")
    form = hidden(rosa.get(page), f"{page}/undo")
    assert "Nobody is told of it." in text(rosa.get(page))
    console.user("vera", Role.VIEWER)
    vera = console.browser("vera")
    assert f"{page}/undo" not in text(vera.get(page))
    assert vera.post(f"{page}/undo", form).status == 403
    assert rosa.post(f"{page}/undo", {**form, "last_event": "0"}).status == 409
    console.moment = NOW + MINUTE
    late = rosa.post(f"{page}/undo", form)
    assert late.status == 409
    assert "It can no longer be undone." in text(late)
    assert world.rows(cards)[0].paused
    assert [row.event for row in world.rows(card_events)] == ["paused"]
    assert "undone" not in [row.action for row in world.rows(audit)]


def test_a_holder_is_told_once_more_and_not_while_that_waits(
    console: Console, world: World, rosa: Browser
) -> None:
    card = entered(world, world.card())
    page = f"/cards/{card}"
    world.check()
    world.send()
    told = len(world.rows(messages))
    assert where(rosa.send(page, f"{page}/again")) == f"{page}?done=told_again"
    assert len(world.rows(messages)) > told
    assert {row.window for row in world.rows(reminders)} >= {"again-1"}
    assert [row.action for row in world.rows(audit)][-1] == "told_again"
    assert [row.detail["by"] for row in world.rows(card_events)][-1] == "rosa"
    refused = rosa.send(page, f"{page}/again")
    assert refused.status == 409
    assert "It is not told again" in text(refused)
    assert [row.action for row in world.rows(audit)].count("told_again") == 1


@sqlite
def test_what_the_trail_tells_beside_events_is_shown(
    console: Console, world: World, rosa: Browser
) -> None:
    card = entered(world, world.card())
    Consent(world.engine).opt_out(Channel.SMS, PHONE, NOW, source="word", reason="opted_out")
    shown = rosa.get(f"/cards/{card}")
    assert shown.status == 200
    assert "opted out" in text(shown)


def test_a_card_is_given_to_somebody_else(console: Console, world: World) -> None:
    card = entered(world, world.card())
    world.check()
    console.user("ana", Role.ADMIN)
    ana, page = console.browser("ana"), f"/cards/{card}/reassign"
    assert console.browser("rosa").get(page).status == 403
    assert page in text(ana.get(f"/cards/{card}"))
    fields = dict(FIELD.findall(text(ana.get(page))))
    for wrong in ({"name": ""}, {"name": "Lu", "email": "x"}, {"name": "Lu", "contact_phone": "9"}):
        refused = ana.post(page, {**fields, **wrong})
        assert refused.status == 200
        assert 'aria-invalid="true"' in text(refused)
    given = {"name": "Lu", "contact_phone": "+8613885509829", "language": "zh-Hans"}
    for _ in range(2):
        assert where(ana.post(page, {**fields, **given})) == f"/cards/{card}?done=reassigned"
    [former, holder] = world.rows(holders)
    assert (former.name, former.email) == ("", None)
    assert (holder.name, holder.contact_phone) == ("Lu", "+8613885509829")
    assert (holder.language, holder.time_zone) == ("zh-Hans", "Asia/Shanghai")
    assert world.rows(cards)[0].holder_id == holder.id
    assert {row.reason for row in world.rows(reminders)} == {"reassigned"}
    noted = world.rows(audit)[-1]
    assert (noted.action, noted.fields) == ("reassigned", ["name", "contact_phone", "language"])


def test_a_card_is_silenced_on_one_channel_and_written_about_again(
    console: Console, world: World, rosa: Browser
) -> None:
    card = entered(world, world.card())
    page = f"/cards/{card}"
    assert "Nothing more about it by SMS" in text(rosa.get(page))
    form = hidden(rosa.get(page), f"{page}/silence")
    assert form["channel"] == "sms"
    for _ in range(2):
        assert where(rosa.post(f"{page}/silence", form)) == f"{page}?done=opted_out"
    [row] = world.rows(suppressions)
    assert (row.channel, row.card_id, row.source, row.lifted_at) == ("sms", card, "guardian", None)
    world.check()
    world.send()
    told = {row.channel for row in world.rows(messages) if row.state == "sent"}
    assert told == {"email"}
    shown = text(rosa.get(page))
    assert "Nothing more about it by SMS" not in shown
    assert "by word of a keeper" in shown
    assert where(rosa.send(page, f"{page}/allow")) == f"{page}?done=opted_in"
    assert world.rows(suppressions)[0].lifted_at == NOW
    assert [row.action for row in world.rows(audit)][-2:] == ["opted_out", "opted_in"]
    assert rosa.post(f"{page}/allow", {**form, "channel": "fax"}).status == 404
