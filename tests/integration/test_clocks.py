"""Doctor compares this machine's clock with those of the database and the providers."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.helpers import World
from tests.integration.sandbox_helpers import call
from worker import clocks
from worker.clock import set_file_clock
from worker.health import _clocks


def told(world: World, seconds: int) -> list[tuple[str, str]]:
    """What doctor says where Twilio's clock is so far ahead."""
    assert world.clock is not None
    set_file_clock(world.clock, datetime.now(UTC))
    body = json.dumps({"clock_offset_s": seconds})
    assert call(world.sandbox, "POST", "/sandbox/account", body).status == 200
    return [(one.state, one.message) for one in _clocks(world.app(lambda: datetime.now(UTC)))]


def test_clocks_that_agree_are_fine(world: World) -> None:
    [(state, message)] = told(world, 0)
    assert state == "ok"
    assert "Twilio" in message
    assert ("the database" in message) == (world.engine.dialect.name == "postgresql")


@pytest.mark.parametrize(("seconds", "words"), [(-60, "s behind"), (3600, "s ahead of")])
def test_a_provider_with_another_time_is_told(world: World, seconds: int, words: str) -> None:
    [warned] = [message for state, message in told(world, seconds) if state == "warning"]
    assert "Twilio" in warned
    assert words in warned


def test_a_database_with_another_time_is_told(world: World) -> None:
    if world.engine.dialect.name == "sqlite":
        pytest.skip("it has no clock of its own")
    app = world.app(lambda: datetime.now(UTC) - timedelta(minutes=2))
    assert any("the database" in one.message and one.state == "warning" for one in _clocks(app))


def test_who_does_not_answer_is_left_out(world: World) -> None:
    world.sandbox = "http://127.0.0.1:9"
    app = world.app(lambda: datetime.now(UTC))
    assert "Twilio" not in dict(clocks.differences(app))
