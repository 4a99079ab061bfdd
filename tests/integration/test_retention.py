"""What was sent is erased in its time: the text first, then the address, the proof in the end."""

import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import zip_longest
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, Table, func, insert, select
from structlog.testing import capture_logs

from tests.integration.helpers import EMAIL, NOW, PHONE, TODAY, World, always, causes
from tests.integration.test_receipts import report, take
from worker.cli import cli
from worker.core.cards import Channel
from worker.core.outcomes import Outcome, OutcomeKind, accepted
from worker.core.reminders import MessageState, ReminderState
from worker.core.tokens import LIFETIMES
from worker.monitoring.promise import Line, Promise
from worker.pipeline.retention import Hourly, Periods, Retention
from worker.processes.scheduler import run
from worker.store import recipients
from worker.store.engine import reading, writing
from worker.store.tables import (
    attempts,
    card_events,
    digests,
    messages,
    receipts,
    reminders,
    suppressions,
    usage,
)

DAY = timedelta(days=1)
PERIODS = Periods(content=30 * DAY, address=400 * DAY, proof=730 * DAY)
LEDGER = (messages, reminders, attempts, receipts)
SMS, MAIL = Channel.SMS, Channel.EMAIL


@pytest.fixture
def retention(engine: Engine) -> Retention:
    return Retention(engine, PERIODS)


def erase(retention: Retention, now: datetime, size: int = 500) -> dict[str, int]:
    done: Counter[str] = Counter()
    for name, rows in retention.batches(now, size):
        done[name] += rows
    return {name: rows for name, rows in done.items() if rows}


def counts(world: World, *tables: Table) -> list[int]:
    with reading(world.engine) as conn:
        return [conn.execute(select(func.count()).select_from(t)).scalar_one() for t in tables]


def sent(world: World, holders: int = 1) -> None:
    """Each of ``holders`` was told by SMS and by email, and both were confirmed."""
    for number in range(holders):
        world.card(world.holder(name=f"Rosa {number}"))
    world.check()
    world.send(providers=dict.fromkeys(Channel, always(accepted(""))))
    for one in world.rows(attempts):
        take(world, report(one, "delivered"))


def account(world: World) -> list[Line]:
    use_case = Promise(world.engine, world.rules, timedelta(minutes=6))
    later = NOW + 3 * 365 * DAY
    return [line for line, _ in use_case.lines(NOW - 30 * DAY, NOW + 30 * DAY, None, later)]


def test_text_goes_first_then_addresses_and_the_account_stays_the_same(
    world: World, retention: Retention
) -> None:
    sent(world)
    before, proof = account(world), {(a.digest, a.provider_id) for a in world.rows(attempts)}
    assert erase(retention, NOW + 29 * DAY) == {}
    assert erase(retention, NOW + 31 * DAY) == {"contents": 2}
    assert {(m.subject, m.body) for m in world.rows(messages)} == {(None, None)}
    assert {a.address for a in world.rows(attempts)} == {PHONE, EMAIL}
    assert erase(retention, NOW + 401 * DAY) == {"addresses": 2}
    assert {a.address for a in world.rows(attempts)} == {""}
    assert {(a.digest, a.provider_id) for a in world.rows(attempts)} == proof
    assert account(world) == before
    assert [line.verdict for line in before] == ["on_time", "on_time"]


def test_in_the_end_a_notice_goes_with_all_that_belongs_to_it_and_is_not_owed_again(
    world: World, retention: Retention
) -> None:
    sent(world)
    world.card(world.holder(email=None))  # the notice by email is in no message
    world.check()
    world.send(providers=dict.fromkeys(Channel, always(accepted(""))))
    assert erase(retention, NOW + 729 * DAY).keys() <= {"contents", "addresses"}
    number = counts(world, *LEDGER)
    assert all(number)
    waiting = retention.waiting(NOW + 731 * DAY)
    done = erase(retention, NOW + 731 * DAY)
    assert counts(world, *LEDGER) == [0, 0, 0, 0]
    assert done["proofs"] + done["unsent"] == sum(number)
    assert sum(waiting.values()) == sum(number)
    world.check(NOW + 731 * DAY)
    assert [row for row in world.rows(reminders) if row.deadline_on <= TODAY + 9 * DAY] == []


def test_what_a_pass_would_do_is_what_it_does_and_counts_nothing_that_is_young(
    world: World, retention: Retention
) -> None:
    sent(world)
    old, later, now = world.rows(attempts), NOW + 100 * DAY, NOW + 731 * DAY
    # A report may name its attempt by our name or by the provider's alone.
    take(world, report(old[0], "sent", provider_id=None), report(old[1], "sent", attempt=None))
    young = world.card(world.holder(name="Li"), plan_end=TODAY + 105 * DAY, watched_since=later)
    world.check(later, [young])
    world.send(later, providers=dict.fromkeys(Channel, always(accepted(""))))
    for one in world.rows(attempts):
        if one.id not in {row.id for row in old}:
            take(world, report(one, "delivered"), now=later)
    before, waiting = counts(world, *LEDGER), retention.waiting(now)
    done = erase(retention, now)
    gone = [was - left for was, left in zip(before, counts(world, *LEDGER), strict=True)]
    assert gone == [2, 2, 2, 4]
    assert before == [4, 4, 4, 6]
    assert [waiting[table.name] for table in LEDGER] == gone
    assert {name: waiting[name] for name in ("contents", "addresses")} == {
        name: done[name] for name in ("contents", "addresses")
    }


@pytest.mark.parametrize(
    ("table", "change"),
    [
        (messages, {"state": MessageState.UNKNOWN, "wake_at": NOW}),
        (messages, {"sent_at": NOW + 705 * DAY, "delivered_at": None}),
        (reminders, {"state": ReminderState.PENDING, "ended_at": None}),
        (reminders, {"deadline_on": TODAY + 800 * DAY}),
        (reminders, {"useful_until": NOW + 700 * DAY}),
    ],
    ids=["unknown", "sent lately", "pending", "deadline ahead", "useful lately"],
)
def test_what_has_not_ended_or_could_be_owed_again_is_kept_whole(
    world: World, retention: Retention, table: Table, change: Mapping[str, Any]
) -> None:
    sent(world)
    world.change(table, **change)
    before = counts(world, *LEDGER)
    done = erase(retention, NOW + 731 * DAY)
    assert counts(world, *LEDGER) == before
    if table is messages:
        assert "contents" not in done


def test_a_message_of_two_notices_waits_for_both(world: World, retention: Retention) -> None:
    holder = world.holder(contact_phone=None)
    world.cards(2, holder, msisdn=None)
    world.check()
    world.send(NOW, MAIL, providers={MAIL: always(accepted(""))})
    one = next(row for row in world.rows(reminders) if row.channel == MAIL)
    world.change(reminders, one.id, due_at=NOW + 5 * DAY)
    assert "proofs" not in erase(retention, NOW + 731 * DAY)
    assert erase(retention, NOW + 736 * DAY)["proofs"] == 4


def test_marks_counts_and_events_go_too_but_never_what_a_holder_said(
    world: World, retention: Retention
) -> None:
    card = world.card()
    rows: list[dict[str, Any]] = [
        {"card_id": card, "at": NOW, "event": event, "detail": {}}
        for event in ("imported", "opted_out", "renewed")
    ]
    used = {"book_id": world.book(), "channel": "sms", "messages": 1, "segments": 1, "spend": 0}
    lost = report(uuid4(), "delivered")  # of another installation: nobody ever claims it
    with writing(world.engine) as conn:
        conn.execute(insert(card_events), rows)
        conn.execute(insert(usage).values(day=TODAY, **used))
        conn.execute(insert(digests).values(kind="alarm", at=NOW))
    take(world, lost, now=NOW)
    assert erase(retention, NOW + 8 * DAY) == {"digests": 1}
    assert erase(retention, NOW + 732 * DAY, size=1) == {"receipts": 1, "events": 2, "usage": 1}
    assert [event for _, event in world.events()] == ["opted_out"]


def test_two_at_once_in_small_batches_do_it_all_once(world: World, retention: Retention) -> None:
    sent(world, holders=5)
    number = counts(world, *LEDGER)
    now = NOW + 731 * DAY
    both = zip_longest(retention.batches(now, 2), retention.batches(now, 3))
    done = sum(item[1] for pair in both for item in pair if item and item[0] == "proofs")
    assert done == sum(number)
    assert counts(world, *LEDGER) == [0, 0, 0, 0]


def test_one_of_several_schedulers_erases_in_an_hour(world: World, retention: Retention) -> None:
    sent(world)
    first, second = Hourly(retention), Hourly(retention)
    first.go_on(NOW + 31 * DAY)
    second.go_on(NOW + 31 * DAY)
    assert first.under_way
    assert not second.under_way
    assert {m.body for m in world.rows(messages)} == {None}
    while first.under_way:
        first.go_on(NOW + 31 * DAY)
    first.go_on(NOW + 31 * DAY + timedelta(minutes=59))
    assert not first.under_way
    next_hour = Hourly(retention)
    next_hour.go_on(NOW + 31 * DAY + timedelta(hours=1))
    assert next_hour.under_way


@pytest.mark.parametrize("automatic", [True, False])
def test_the_scheduler_erases_unless_it_is_told_not_to(world: World, automatic: bool) -> None:
    sent(world)
    app = world.app(
        lambda: NOW + 31 * DAY,
        scheduler={"tick_seconds": 0.01},
        retention={"automatic": automatic},
    )
    run(app, Silent(), threading.Event(), ticks=10)
    assert {m.body is None for m in world.rows(messages)} == {automatic}


class Silent:
    """Takes hints and does nothing."""

    def __getattr__(self, _name: str) -> Any:
        return lambda *_args: None


def test_a_bug_in_erasing_is_an_alarm_and_stops_no_clock(world: World) -> None:
    class Broken(Retention):
        def batches(self, now: datetime, size: int = 0) -> Iterator[tuple[str, int]]:
            raise RuntimeError

    hourly = Hourly(Broken(world.engine, PERIODS))
    with capture_logs() as logs:
        hourly.go_on(NOW)
    assert causes(logs) == ["retention_failed"]
    assert not hourly.under_way


def test_a_link_whose_address_is_erased_silences_nobody(world: World, retention: Retention) -> None:
    sent(world)
    assert PERIODS.address > max(LIFETIMES.values())
    erase(retention, NOW + 401 * DAY)
    with reading(world.engine) as conn:
        assert {recipients.message(conn, row.id) for row in world.rows(messages)} == {None}


def test_an_opt_out_from_a_very_old_email_counts_for_the_address_of_today(
    world: World, retention: Retention
) -> None:
    sent(world)
    erase(retention, NOW + 401 * DAY)
    mails = [m.provider_id for m in world.rows(messages) if m.channel == MAIL]
    [old] = [a for a in world.rows(attempts) if a.provider_id in mails]
    late = NOW + 402 * DAY
    take(world, report(old, "spamreport"), now=late)
    assert [(row.channel, row.address) for row in world.rows(suppressions)] == [(MAIL, EMAIL)]


def test_an_end_that_is_unknown_keeps_its_address(world: World, retention: Retention) -> None:
    world.card(world.holder(email=None))
    world.check()
    silent = Outcome(OutcomeKind.AMBIGUOUS, "timeout")
    world.send(providers={SMS: always(silent)})
    assert world.message(SMS).state == MessageState.UNKNOWN
    erase(retention, NOW + 731 * DAY)
    assert world.message(SMS).body
    assert [a.address for a in world.rows(attempts)] == [PHONE]


# The command line


@pytest.fixture
def command(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The clock of commands on the database of ``world``."""
    clock = tmp_path / "clock"
    clock.write_text((NOW + 731 * DAY).isoformat())
    url = world.engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("VIGENCIA_CLOCK_FILE", str(clock))
    return clock


def test_the_command_counts_first_and_erases_then(
    world: World, command: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent(world)
    before = counts(world, *LEDGER)

    def told(*words: str) -> Any:
        cli.main(["retention", "run", "--json", *words], standalone_mode=False)
        return json.loads(capsys.readouterr().out)

    counted = told("--dry-run")
    assert [counted[t.name] for t in LEDGER] == counts(world, *LEDGER) == before
    assert told("--now", (NOW + DAY).isoformat())["proofs"] == 0
    assert told()["proofs"] == sum(before)
    assert counts(world, *LEDGER) == [0, 0, 0, 0]
    with pytest.raises(Exception, match="not old yet"):
        told("--now", (NOW + 900 * DAY).isoformat())


def test_a_message_is_shown_without_what_signs_its_links(
    world: World, command: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent(world)
    token = "1a2B3c4D5e6F7g8H9"
    body = f"Stop: https://r.example.com/o/{token} or https://r.example.com/x/r/{token}."
    world.change(messages, body=body)
    [number, _] = [row.id for row in world.rows(messages)]
    for words in ([], ["--json"]):
        cli.main(["messages", "show", str(number), *words], standalone_mode=False)
        shown = capsys.readouterr().out
        assert token not in shown
        assert "https://r.example.com/o/*** or https://r.example.com/x/r/***." in shown
    world.change(messages, body=None, subject=None)
    cli.main(["messages", "show", str(number)], standalone_mode=False)
    assert "(erased after its time)" in capsys.readouterr().out
