"""Renewals that came after a notice had arrived are counted with the renewal, by any door."""

import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.helpers import NOW, TODAY, WANTED, World, always
from tests.integration.test_import import ROW
from worker.cardbook.importer import import_book
from worker.cardbook.rows import CardBook, CardRow
from worker.cli import cli
from worker.core.actor import CLI, Source
from worker.core.cards import Channel
from worker.core.life import Happening, LifeEvent
from worker.core.outcomes import accepted
from worker.core.reports import Report
from worker.pipeline.answers.deadlines import Answers
from worker.pipeline.events import Life
from worker.pipeline.receipts import Receipts
from worker.pipeline.undoing import Undoing
from worker.store.tables import attempts, cards, reminders, saves

DAY = timedelta(days=1)
LATER = NOW + 2 * DAY
NEW_END = TODAY + timedelta(days=35)


def arrive(world: World, channel: Channel | None = None, now: datetime = NOW) -> None:
    """What is owed is sent over ``channel``, or both, and arrives."""
    both = {one: always(accepted("")) for one in Channel}
    world.send(now, channel, providers=both)
    reports = [
        Report(row.provider, str(uuid4()), "delivered", row.id, row.provider_id, None, now)
        for row in world.rows(attempts)
        if row.provider_id
    ]
    Receipts(world.engine, world.retry).take(reports, now)


def told_card(world: World, channel: Channel | None = None, **changes: Any) -> int:
    """A card whose holder was told, and it arrived, that its plan ends in 5 days."""
    card = world.card(world.holder(language="es-PE"), **changes)
    world.check()
    arrive(world, channel)
    return card


def renew(world: World, card: int, now: datetime = LATER, **how: Any) -> None:
    what = Happening(LifeEvent.RENEWED, plan_end=NEW_END)
    Life(world.engine, world.rules).record(card, what, now, **how)


def counted(world: World) -> list[tuple[Any, ...]]:
    rows = world.rows(saves)
    return [(r.card_id, r.window, r.channel, r.language, r.days_before, r.source) for r in rows]


def test_a_renewal_after_a_notice_that_arrived_is_counted_once(world: World) -> None:
    card = told_card(world, Channel.SMS)
    renew(world, card, by=CLI)
    assert counted(world) == [(card, "plan_end-7d", "sms", "es-PE", 3, "cli")]
    [row] = world.rows(saves)
    assert (row.at, row.deadline, row.failed) == (LATER, "plan_end", False)
    renew(world, card, LATER + timedelta(hours=1))  # corrects what was entered before
    assert len(world.rows(saves)) == 1


def test_the_last_notice_counts(world: World) -> None:
    card = told_card(world)
    soon = NOW + 4 * DAY
    world.check(soon)
    arrive(world, Channel.EMAIL, soon)
    renew(world, card, soon + timedelta(hours=1))
    [(_, window, channel, *_)] = counted(world)
    assert (window, channel) == ("plan_end-1d", "email")


def test_what_did_not_arrive_came_too_late_or_long_ago_does_not_count(world: World) -> None:
    untold = world.card()
    renew(world, untold)
    world.check()
    sent = world.card(world.holder(email="other@example.com"))
    world.check(ids=[sent])
    world.send(NOW, providers={one: always(accepted("")) for one in Channel})
    renew(world, sent)
    lost = told_card(world)
    renew(world, lost, NOW + 6 * DAY)
    assert counted(world) == []


def test_a_renewal_long_after_the_notice_does_not_count(world: World) -> None:
    card = told_card(world)
    for row in world.rows(reminders):
        world.change(reminders, row.id, ended_at=LATER - 60 * DAY)
    renew(world, card)
    assert counted(world) == []


def test_a_renewal_told_by_a_link_counts(world: World) -> None:
    card = told_card(world)
    first = world.rows(reminders)[0]
    assert Answers(world.engine, world.rules).renewed(first.id, NEW_END, LATER) is not None
    assert [(one[0], one[-1]) for one in counted(world)] == [(card, Source.LINK)]


def test_a_renewal_of_a_card_book_counts(world: World) -> None:
    world.check(ids=[put(world, ROW)])
    arrive(world)
    card = put(world, replace(ROW, plan_end=NEW_END), now=LATER)
    assert [(one[0], one[-1]) for one in counted(world)] == [(card, Source.IMPORT)]


def put(world: World, row: CardRow, now: datetime = NOW) -> int:
    book = CardBook("book.csv", "utf-8", None, {}, 1, (row,), (), ())
    import_book(world.engine, book, "demo", WANTED, now, rules=world.rules, apply=True)
    [found] = world.rows(cards)
    return int(found.id)


def test_what_is_undone_or_failed_is_not_counted(world: World) -> None:
    card = told_card(world)
    renew(world, card, undo_for=timedelta(seconds=60))
    Undoing(world.engine, world.rules).undo(card, LATER + timedelta(seconds=1))
    assert counted(world) == []
    renew(world, card, LATER + timedelta(minutes=2))
    failed = LATER + DAY
    life = Life(world.engine, world.rules)
    life.record(card, Happening(LifeEvent.RENEWAL_FAILED), failed, undo_for=timedelta(seconds=60))
    assert [row.failed for row in world.rows(saves)] == [True]
    Undoing(world.engine, world.rules).undo(card, failed + timedelta(seconds=1))
    assert [row.failed for row in world.rows(saves)] == [False]


def test_the_command_counts_by_window_channel_and_language(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = tmp_path / "clock"
    clock.write_text((LATER + DAY).isoformat())
    monkeypatch.setenv("DATABASE_URL", world.engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("VIGENCIA_CLOCK_FILE", str(clock))
    first, second, third = (told_card(world, Channel.SMS) for _ in range(3))
    for card in (first, second, third):
        renew(world, card)
    world.live(third, LifeEvent.RENEWAL_FAILED, LATER + timedelta(hours=1))

    def told(*words: str) -> str:
        cli.main(["saves", *words], standalone_mode=False)
        return capsys.readouterr().out

    found = json.loads(told("--json", "--book", "demo"))
    assert found["renewed_after"] == 2
    assert found["by"] == [
        {
            "deadline": "plan_end",
            "window": "plan_end-7d",
            "channel": "sms",
            "language": "es-PE",
            "renewed_after": 2,
        }
    ]
    said = told()
    assert said.startswith("2 cards were renewed after a notice had arrived, before its deadline.")
    assert "because" not in said
    before = date.fromisoformat("2026-05-01").isoformat()
    assert told("--from", before, "--to", before).startswith("0 cards were")
