"""A database that was restored from a backup sends nothing twice, and hears who said stop since."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import Table
from structlog.testing import capture_logs

from tests.integration.helpers import NOW, TODAY, World, causes
from tests.integration.sandbox_helpers import call, set_faults
from tests.integration.test_listening import silent, write
from worker.clock import set_file_clock
from worker.core.cards import Channel
from worker.core.life import LifeEvent
from worker.core.reminders import MessageState, ReminderState
from worker.core.retry import RetryPolicy
from worker.errors import UnreachableError
from worker.store import quarantine
from worker.store.engine import writing
from worker.store.tables import attempts, cards, messages, reminders

PLAN_END, NEW_END = TODAY + timedelta(days=1), TODAY + timedelta(days=35)
SMS, MAIL = Channel.SMS, Channel.EMAIL
BACKUP, LATER = NOW - timedelta(hours=1), NOW + timedelta(hours=1)


def restored(world: World, people: int = 4) -> None:
    """Everything was sent and then forgotten, as a backup of before does."""
    for n in range(people):
        world.card(world.holder(contact_phone=f"+5198765000{n}", email=f"a{n}@example.com"))
    world.check()
    world.send()
    forget(world)
    world.check(LATER)


def forget(world: World) -> None:
    """Put back what was before the first message."""
    with writing(world.engine) as conn:
        for table in (attempts, reminders, messages):
            conn.execute(table.delete())
        conn.execute(cards.update().values(renewed_at=None, plan_end=PLAN_END))
        quarantine.begin(conn, BACKUP, LATER)


def release(world: World) -> Counter[str]:
    assert world.clock is not None
    set_file_clock(world.clock, LATER)
    app = world.app(lambda: LATER)
    if world.retry.resend == frozenset():
        app.retry = world.retry

    async def run() -> Counter[str]:
        try:
            return await app.release.run(LATER)
        finally:
            await app.transport.close()

    return asyncio.run(run())


def test_in_quarantine_nothing_is_sent(world: World) -> None:
    restored(world)
    before = len(world.accepted())
    assert world.send(LATER) == {}
    assert len(world.accepted()) == before
    assert {row.state for row in world.rows(messages)} == {MessageState.PENDING}


def test_what_is_in_the_providers_list_is_not_sent_again(world: World) -> None:
    restored(world)
    sids = {sms["id"] for sms in world.accepted(SMS)}
    assert release(world) == {"found": 4, "left": 4}
    world.send(LATER, SMS)
    assert len(world.accepted(SMS)) == 4
    assert {row.provider_id for row in world.rows(messages) if row.channel == SMS} == sids
    assert ("sms", ReminderState.SENT, None) in world.told()


def test_what_was_never_sent_is_sent_after_the_release(world: World) -> None:
    restored(world)
    world.card(world.holder(contact_phone="+51987659999", email=None), plan_end=TODAY)
    world.check(LATER)
    assert release(world)["found"] == 4
    world.send(LATER, SMS)
    assert [sms["to"] for sms in world.accepted(SMS)][4:] == ["+51987659999"]


def test_an_event_that_is_entered_again_is_not_told_again(world: World) -> None:
    card = world.card(plan_end=PLAN_END)
    world.live(card, LifeEvent.RENEWED, plan_end=NEW_END)
    world.send(channel=SMS)
    assert len(world.accepted(SMS)) == 1
    forget(world)
    world.live(card, LifeEvent.RENEWED, LATER, plan_end=NEW_END)
    assert release(world)["found"] == 1
    world.send(LATER + timedelta(minutes=5), SMS)
    assert len(world.accepted(SMS)) == 1


def test_an_event_that_is_entered_for_the_first_time_is_told(world: World) -> None:
    """Of the same card something else was told since the backup."""
    card = world.card(plan_end=PLAN_END)
    world.check()
    world.send(channel=SMS)
    assert len(world.accepted(SMS)) == 1
    forget(world)
    world.live(card, LifeEvent.RENEWED, LATER, plan_end=NEW_END)
    assert release(world)["found"] == 0
    world.send(LATER + timedelta(minutes=5), SMS)
    assert len(world.accepted(SMS)) == 2


def test_links_of_what_was_sent_since_the_backup_are_nobody_elses(world: World) -> None:
    """A link holds the number of a message or of a reminder. One that is given out again would act
    for somebody else."""
    world.card()
    world.check()
    world.send()
    known = max_ids(world)
    with writing(world.engine) as conn:
        assert quarantine.begin(conn, BACKUP, LATER)
    world.card(world.holder(contact_phone="+51987659999", email="b@example.com"))
    world.check(LATER)
    new = [min(row.id for row in world.rows(t) if row.id > n) for t, n in known.items()]
    assert min(new) > 900_000
    assert len(world.accepted()) == 2
    assert release(world)["left"] == 2
    world.send(LATER)
    assert {row.state for row in world.rows(messages)} == {MessageState.SENT}
    rows = world.rows(attempts)
    assert {row.message_id for row in rows} == {row.id for row in world.rows(messages)}


def test_a_ledger_without_a_message_cannot_keep_numbers_free(world: World) -> None:
    with writing(world.engine) as conn:
        free = quarantine.begin(conn, BACKUP, LATER)
    assert free is (world.engine.dialect.name == "postgresql")


def max_ids(world: World) -> dict[Table, int]:
    return {t: max(row.id for row in world.rows(t)) for t in (messages, reminders)}


def test_who_said_stop_since_the_backup_is_heard(world: World) -> None:
    restored(world, 1)
    write(world, "STOP", NOW + timedelta(minutes=1))
    assert release(world)["opted_out"] == 1
    assert silent(world) == ["+51987654321"]


def test_without_the_list_the_quarantine_goes_on(world: World) -> None:
    restored(world)
    set_faults(world.sandbox, {"channel": "sms", "on": "list", "kind": "error_before", "rate": 1})
    with pytest.raises(UnreachableError, match="list"):
        release(world)
    assert world.send(LATER) == {}
    set_faults(world.sandbox)
    assert release(world)["found"] == 4


def test_a_list_that_shows_no_texts_is_enough(world: World) -> None:
    assert call(world.sandbox, "POST", "/sandbox/account", '{"redact": true}').status == 200
    restored(world)
    assert release(world)["found"] == 4


def test_emails_that_nobody_can_tell_of_are_missed_where_they_are_to_be_held(
    world: World,
) -> None:
    world.retry = RetryPolicy(resend=frozenset())
    restored(world)
    with capture_logs() as logs:
        assert release(world) == {"found": 4, "given_up": 4}
    world.send(LATER)
    assert len(world.accepted(MAIL)) == 4
    assert ("email", ReminderState.MISSED, "unknown_outcome") in world.told()
    assert "reminder_missed" in causes(logs)
