"""A guardian reads an email: a ledger of the time when that was a channel of its own goes on."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, inspect, select, text

from tests.integration.helpers import EMAIL, NOW, PHONE, TODAY, Carrier, World
from tests.integration.versions import move
from worker.content.render import Content
from worker.core.cards import Channel, Destination, Kind
from worker.core.outcomes import Outcome, OutcomeKind, accepted
from worker.core.rules import Rules
from worker.monitoring.promise import Promise
from worker.store import migrate, views
from worker.store.engine import open_engine, reading
from worker.store.gauges import gauges
from worker.store.tables import reminders, usage

GUARDIAN = Destination.GUARDIAN
LATER = NOW + timedelta(days=5)
# Tomorrow its line can be lost.
LAST_DAY: dict[str, Any] = {
    "kind": Kind.RETENTION, "operator": "movistar", "plan_end": None,
    "last_topup": TODAY - timedelta(days=209),
}  # fmt: skip


@pytest.fixture
def old(
    empty_url: str, sandbox: str, sandbox_clock: Path, rules: Rules, content: Content
) -> Iterator[World]:
    """A world whose database can be moved between versions."""
    engine: Engine = open_engine(empty_url)
    migrate.upgrade(engine)
    world = World(engine, sandbox, sandbox_clock, rules, content)
    world.guard()
    yield world
    engine.dispose()


def account(world: World) -> list[Any]:
    """The lines of the days around ``NOW``, each with what the promise makes of it."""
    promise = Promise(world.engine, world.rules, timedelta(minutes=6))
    since, until = NOW - timedelta(days=30), NOW + timedelta(days=30)
    return list(promise.lines(since, until, None, LATER))


def ledger(world: World, table: str) -> Sequence[tuple[str, ...]]:
    """As the rows of a table are written, whatever the code makes of them."""
    columns = "channel, state" + (", reason" if table == "reminders" else "")
    with world.engine.connect() as conn:
        rows = conn.execute(text(f"SELECT {columns} FROM {table} ORDER BY id"))  # noqa: S608
        return [tuple(row) for row in rows]


def unreachable(world: World, **changes: Any) -> int:
    """A card whose holder has no address, so that the guardian is told."""
    return world.card(world.holder(contact_phone=None, email=None), msisdn=None, **changes)


def three_for_the_guardian(world: World) -> int:
    """One notice that is sent, one that is missed, and one that waits; each beside the holder's
    own, of the same window, that came to nothing. Returns the card of the last one."""
    world.suppress(Channel.SMS, PHONE, "twilio:21211")
    world.suppress(Channel.EMAIL, EMAIL, "sendgrid:bounce")
    world.check(NOW, [world.card()])
    world.send(NOW)
    world.send(NOW, GUARDIAN)
    world.check(NOW, [unreachable(world)])
    assert world.send(LATER, GUARDIAN) == {}
    last = unreachable(world, plan_end=(LATER + timedelta(days=5)).date())
    world.check(LATER, [last])
    return last


def test_what_a_guardian_was_and_will_be_told_outlives_the_move(old: World) -> None:
    three_for_the_guardian(old)
    before, told = account(old), old.told()
    move(old.engine, "0013")
    assert "audience" not in {c["name"] for c in inspect(old.engine).get_columns("reminders")}
    assert "audience" not in {c["name"] for c in inspect(old.engine).get_columns("messages")}
    assert [row for row in ledger(old, "reminders") if row[0] == "guardian"] == [
        ("guardian", "sent", None),
        ("guardian", "missed", "too_late"),
        ("guardian", "pending", None),
    ]
    assert [row for row in ledger(old, "messages") if row[0] == "guardian"] == [
        ("guardian", "sent"),
        ("guardian", "cancelled"),
        ("guardian", "pending"),
    ]
    move(old.engine, "head")
    assert {row[0] for row in ledger(old, "reminders")} == {"sms", "email"}
    assert {row[0] for row in ledger(old, "messages")} == {"sms", "email"}
    assert account(old) == before
    assert old.told() == told


def test_what_waited_for_the_guardian_is_sent_once_after_the_move(old: World) -> None:
    last = three_for_the_guardian(old)
    move(old.engine, "0013")
    move(old.engine, "head")
    count = len(old.rows(reminders))
    old.check(LATER, [last])
    assert len(old.rows(reminders)) == count, "owed a second time"
    sent = len(old.accepted())
    old.send(LATER)
    assert [(m["channel"], m["to"]) for m in old.accepted()[sent:]] == [
        ("email", "keeper@example.com")
    ]
    assert old.send(LATER) == {}
    assert [row for row in old.told() if row[0] == GUARDIAN] == [
        (GUARDIAN, "sent", None),
        (GUARDIAN, "missed", "too_late"),
        (GUARDIAN, "sent", None),
    ]


def test_people_are_shown_one_word_and_days_are_counted_by_it(old: World) -> None:
    three_for_the_guardian(old)
    with reading(old.engine) as conn:
        shown = views.list_messages(conn, None, None, None)
        first = views.show_message(conn, min(m["id"] for m in shown if m["channel"] == "guardian"))
    assert [m["channel"] for m in shown] == [*["guardian"] * 3, "email", "sms"]
    assert not any("audience" in m for m in shown)
    assert first is not None
    assert [one["channel"] for one in first["reminders"]] == ["guardian"]
    with reading(old.engine) as conn:
        used = conn.execute(select(usage.c.channel, usage.c.messages)).all()
        found = gauges(conn, LATER, NOW.date())
    assert [tuple(row) for row in used] == [("guardian", 1)]
    assert found.messages == {("guardian", "pending"): 1}
    assert found.used["guardian"][0] == 1


def test_the_guardian_is_told_last_and_so_what_came_to_nothing_before(world: World) -> None:
    """The last day before a line is lost goes to the guardian in any case; that the holder was not
    reached is known only once the provider has refused the email."""
    world.guard()
    world.suppress(Channel.SMS, PHONE, "twilio:21211")
    world.card(**LAST_DAY)
    world.check()
    world.send(NOW, Channel.SMS)
    assert [row[:2] for row in world.told()] == [
        ("sms", "suppressed"), ("email", "pending"), (GUARDIAN, "pending"),
    ]  # fmt: skip

    async def answer(out: Any) -> Outcome:
        dead = Outcome(OutcomeKind.RECIPIENT_DEAD, "sendgrid:bounce")
        return dead if out.to == EMAIL else accepted(f"id-{out.attempt}")

    carrier = Carrier(answer)
    world.send(NOW, Channel.EMAIL, providers={Channel.EMAIL: carrier})
    holder, guardian = carrier.calls
    assert (holder.to, guardian.to) == (EMAIL, "keeper@example.com")
    assert "bloquead" in guardian.text
