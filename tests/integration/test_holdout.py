"""Whether early notices help: who is held out gets none a week before, and all that is later."""

import json
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.integration.helpers import NOW, TODAY, World, always
from worker.cli import cli
from worker.core.cards import Channel
from worker.core.holdout import HELD_OUT, HoldOut
from worker.core.life import LifeEvent
from worker.core.outcomes import accepted
from worker.core.promise import Class
from worker.core.reminders import ReminderState
from worker.monitoring.promise import Promise
from worker.pipeline.check import Checks
from worker.setup.sections import HoldOutSettings
from worker.store.tables import messages, reminders

DAY = timedelta(days=1)
END = TODAY + 5 * DAY
AGREED = {"book": "demo", "agreed_by": "Rosa Quispe", "agreed_on": date(2026, 6, 1)}


def check(world: World, now: datetime, share: float = 1.0, book: str = "demo") -> None:
    own = HoldOut(book, share)
    checks = Checks(world.engine, world.rules, timedelta(seconds=60), hold_out=own)
    checks.run([1, 2, 3, 4, 5, 6, 7, 8], now)


def found(world: World, card: int) -> dict[str, set[tuple[str, str | None]]]:
    rows = [row for row in world.rows(reminders) if row.card_id == card]
    return {
        window: {(r.state, r.reason) for r in rows if r.window == window}
        for window in {row.window for row in rows}
    }


def test_the_notice_of_a_week_before_ends_and_that_of_a_day_before_goes(world: World) -> None:
    card = world.card()
    check(world, NOW)
    assert found(world, card) == {"plan_end-7d": {(ReminderState.SUPPRESSED, HELD_OUT)}}
    assert not world.rows(messages)
    check(world, NOW + DAY)
    later = NOW + 4 * DAY
    check(world, later)
    world.send(later)
    assert found(world, card)["plan_end-1d"] == {(ReminderState.SENT, None)}
    assert len(world.accepted()) == 2
    promise = Promise(world.engine, world.rules, timedelta(minutes=6))
    lines = [line for line, _ in promise.lines(NOW - DAY, NOW + DAY, None, NOW + DAY)]
    assert {(line.verdict, line.reason) for line in lines} == {(Class.SUPPRESSED, HELD_OUT)}


@pytest.mark.parametrize(("share", "book"), [(0.0, "demo"), (1.0, "other")])
def test_nobody_else_is_held_out(world: World, share: float, book: str) -> None:
    card = world.card()
    check(world, NOW, share, book)
    assert found(world, card) == {"plan_end-7d": {(ReminderState.PENDING, None)}}


def test_a_line_is_never_held_back(world: World) -> None:
    card = world.card(plan_end=None, plan_days=None, last_topup=TODAY - 260 * DAY)
    check(world, NOW)
    windows = found(world, card)
    assert windows
    assert all(reason != HELD_OUT for states in windows.values() for _, reason in states)


def test_without_the_written_yes_of_the_keeper_it_is_refused() -> None:
    assert HoldOutSettings.model_validate({"share": 0.1, **AGREED}).own == HoldOut("demo", 0.1)
    assert HoldOutSettings.model_validate({"book": "demo"}).own is None
    for missing in AGREED:
        rest = {name: value for name, value in AGREED.items() if name != missing}
        with pytest.raises(ValidationError, match="written yes of the keeper"):
            HoldOutSettings.model_validate({"share": 0.1, **rest})
    with pytest.raises(ValidationError):
        HoldOutSettings.model_validate({"share": 0.6, **AGREED})


def test_the_two_groups_are_compared(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = tmp_path / "clock"
    clock.write_text((NOW + 7 * DAY).isoformat())
    monkeypatch.setenv("DATABASE_URL", world.engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("VIGENCIA_CLOCK_FILE", str(clock))
    for name, value in (("BOOK", "demo"), ("AGREED_BY", "Rosa Quispe"), ("SHARE", "0.5")):
        monkeypatch.setenv(f"VIGENCIA_HOLDOUT__{name}", value)
    monkeypatch.setenv("VIGENCIA_HOLDOUT__AGREED_ON", "2026-06-01")
    ids = [world.card(world.holder(contact_phone=f"+5191000000{n}")) for n in range(8)]
    check(world, NOW, 0.5)
    world.send(NOW, providers={one: always(accepted("")) for one in Channel})
    held = {r.card_id for r in world.rows(reminders) if r.reason == HELD_OUT}
    told = set(ids) - held
    assert held
    assert told
    for card in (min(held), *told):
        world.live(card, LifeEvent.RENEWED, NOW + DAY, plan_end=TODAY + 40 * DAY)
    cli.main(["saves", "--json"], standalone_mode=False)
    found = json.loads(capsys.readouterr().out)["hold_out"]
    assert (found["book"], found["window"]) == ("demo", "plan_end-7d")
    assert (found["told"]["plans"], found["told"]["renewed"]) == (len(told), len(told))
    assert (found["held_out"]["plans"], found["held_out"]["renewed"]) == (len(held), 1)
    cli.main(["saves"], standalone_mode=False)
    said = capsys.readouterr().out
    assert f"Of holders who were not told a week before: 1 of {len(held)} plans" in said
