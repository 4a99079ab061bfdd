"""One odd answer stays alone: its neighbours are recorded, and what was taken goes no more."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.integration.helpers import NOW, Carrier, Out, World, always, causes
from tests.integration.sandbox_helpers import set_faults
from worker.core.cards import Channel
from worker.core.outcomes import Outcome, OutcomeKind, accepted
from worker.core.reminders import MessageState
from worker.pipeline.delivery.rendering import Rendered, Renderer
from worker.providers.transport import Reply
from worker.store.tables import attempts, messages

SMS, MAIL = Channel.SMS, Channel.EMAIL
SENT = MessageState.SENT
SOON = NOW + timedelta(minutes=5)


@pytest.mark.parametrize("name", ["SM" + "0" * 32, "x" * 300, "nul\u0000nul", "señas 短"])
@pytest.mark.parametrize("channel", [SMS, MAIL])
def test_an_id_that_comes_twice_or_is_none_is_recorded_all_the_same(
    world: World, channel: Channel, name: str
) -> None:
    if channel is MAIL and not (name.isascii() and name.isprintable()):
        pytest.skip("no header can say that")
    world.people(5, email=True)
    rule = {"channel": str(channel), "kind": "renamed_after", "id": name}
    set_faults(world.sandbox, {**rule, "times": 3})
    assert world.send(channel=channel) == {SENT: 5}
    assert world.send(SOON, channel) == {}
    assert len(world.accepted(channel)) == 5
    rows = world.rows(attempts)
    assert len({row.provider_id for row in rows}) == len(rows) == 5


def test_an_answer_that_cannot_be_written_leaves_its_neighbours_alone(world: World) -> None:
    async def odd(out: Out) -> Outcome:
        if out.to.endswith("2"):
            return Outcome(OutcomeKind.NOT_SENT, "\ud800" * 200)
        return accepted(f"id-{out.attempt}")

    world.people(5, email=True)
    carrier = Carrier(odd)
    with capture_logs() as logs:
        assert world.send(channel=SMS, providers={SMS: carrier})[SENT] == 4
    assert "outcome_not_recorded" in causes(logs)
    assert world.send(SOON, SMS, providers={SMS: carrier}) == {}
    assert len(carrier.calls) == 5


@pytest.mark.parametrize("odd", ["a bug", "half of a character", "nul"])
def test_a_text_that_cannot_be_made_holds_its_own_message_only(
    world: World, odd: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.people(4, email=True)

    render = Renderer.render

    def spoiled(*args: Any) -> Rendered:
        found = render(*args)
        if not found.out.to.endswith("1"):
            return found
        if odd == "a bug":
            raise KeyError("a bug in a filter")
        wrong = "\0" if odd == "nul" else "\ud83d"
        return replace(found, out=replace(found.out, text=found.out.text + wrong))

    monkeypatch.setattr(Renderer, "render", spoiled)
    with capture_logs() as logs:
        assert world.send(channel=SMS) == {SENT: 3}
    assert causes(logs) == ["template_failed"]
    held = [row for row in world.rows(messages) if row.state == MessageState.HELD]
    assert [row.reason for row in held] == ["template_failed"]
    monkeypatch.undo()
    assert world.send(held[0].next_attempt_at, SMS) == {SENT: 1}


def test_an_answer_that_trickles_in_without_an_end_is_given_up(world: World) -> None:
    world.people(3, email=True)
    set_faults(world.sandbox, {"channel": "sms", "kind": "trickle_after", "times": 1, "hold_s": 30})
    world.read_timeout = 0.4
    assert world.send(channel=SMS) == {SENT: 2, MessageState.UNKNOWN: 1}
    # Had it been read to its end, that would have been the end of the connection.
    assert "timeout" in {row.code for row in world.rows(attempts)}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "120"}, 120.0),
        (
            {
                "retry-after": "Fri, 12 Jun 2026 15:10:00 GMT",
                "date": "Fri, 12 Jun 2026 15:00:00 GMT",
            },
            600.0,
        ),
        ({"retry-after": "Fri, 12 Jun 2026 15:10:00 GMT"}, None),
        (
            {
                "retry-after": "Fri, 12 Jun 2026 14:00:00 GMT",
                "date": "Fri, 12 Jun 2026 15:00:00 GMT",
            },
            0.0,
        ),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "²"}, None),
        ({}, None),
    ],
)
def test_when_to_come_back_may_be_told_as_a_date(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert Reply(429, headers, b"").retry_after == seconds


def test_a_late_word_about_an_earlier_attempt_changes_nothing(world: World) -> None:
    """What was not sent is not counted, so two attempts of a message may have the same number."""
    world.people(1, email=True)

    async def slow(out: Out) -> Outcome:
        # Meanwhile its lease ran out, and another worker has taken the message up.
        world.change(messages, None, state=MessageState.RETRYABLE, attempts=0)
        await asyncio.to_thread(
            world.send, SOON, SMS, providers={SMS: always(Outcome(OutcomeKind.AMBIGUOUS, "x"))}
        )
        world.change(messages, None, state=MessageState.SENDING)
        return Outcome(OutcomeKind.NOT_SENT, "connect")

    world.send(channel=SMS, providers={SMS: Carrier(slow)})
    message = world.message(SMS)
    assert (message.state, message.attempts) == (MessageState.SENDING, 1)
