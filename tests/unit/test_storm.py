"""The storm's own judgement: what it plays, when it has played enough, and what it calls lost."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.storm.accounting import StormAccount, after_opt_out
from benchmarks.storm.book import SMALL, card_books
from benchmarks.storm.enough import Enough, Seen
from benchmarks.storm.kept_back import Missed, Passed, World, kept_back
from benchmarks.storm.plan import STANDING, Blow, plan
from benchmarks.storm.play import StormResult
from benchmarks.storm.weather import Weather
from worker.core.hours import Hours
from worker.core.outcomes import ALONE, OutcomeKind
from worker.providers.twilio.outcomes import TWILIO_CODES
from worker.sandbox.fault_rules import parse_rules

DUE = datetime(2026, 6, 5, 14, tzinfo=UTC)
SOON = {"since": DUE.isoformat(), "until": (DUE + timedelta(hours=2)).isoformat()}
HOURS = Hours(time(8), time(20))
LEASE = timedelta(minutes=90)
ALL: dict[str, int] = dict.fromkeys(Blow, 1)


def test_the_same_seed_plays_the_same_storm() -> None:
    assert [*islice(plan(3), 500)] == [*islice(plan(3), 500)]
    assert [*islice(plan(3), 500)] != [*islice(plan(4), 500)]


def test_a_slow_machine_plays_the_same_steps_in_more_time() -> None:
    usual, slow = [*islice(plan(1), 300)], [*islice(plan(1, 2.0), 300)]
    assert [step.blow for step in slow] == [step.blow for step in usual]
    assert [step.at for step in slow] == pytest.approx([2 * step.at for step in usual])
    frozen = [next(s for s in steps if s.blow is Blow.FREEZE) for steps in (usual, slow)]
    assert frozen[1].options["seconds"] == pytest.approx(2 * frozen[0].options["seconds"])


@pytest.mark.parametrize("seed", range(5))
def test_every_blow_comes_early_so_that_a_short_storm_has_all(seed: int) -> None:
    struck = {step.blow for step in islice(plan(seed), 60) if step.at <= 10}
    assert struck == set(Blow)


@pytest.mark.parametrize("seed", range(3))
def test_the_sandbox_understands_every_rule_of_the_plan(seed: int) -> None:
    parse_rules([*STANDING])
    for step in islice(plan(seed, 1.7), 4000):
        match step.blow:
            case Blow.FAULTS:
                parse_rules(step.options["rules"])
            case Blow.OUTAGE:
                parse_rules([{**rule, **SOON} for rule in step.options["rules"]])
            case Blow.REFUSAL:
                parse_rules([{"to": "+51900000001", **step.options["rule"], **SOON}])


def test_refusals_name_single_recipients_and_whole_countries_by_turns() -> None:
    refusals = [s.options["rule"] for s in islice(plan(1), 4000) if s.blow is Blow.REFUSAL]
    countries = [rule for rule in refusals if "to" in rule]
    assert 0 < len(countries) < len(refusals)
    assert all(rule["to"].endswith("*") for rule in countries)


def test_a_fault_that_rests_alone_is_not_bounded_like_one_that_stops_a_channel() -> None:
    rules = [r for s in islice(plan(1), 9000) if s.blow is Blow.FAULTS for r in s.options["rules"]]
    seen = {rule["code"]: "times" in rule for rule in rules if rule["kind"] == "code"}
    severe = {
        code
        for code, row in TWILIO_CODES.items()
        if row.kind is OutcomeKind.CONFIG_FAULT and row.scope not in ALONE
    }
    assert {code for code, bounded in seen.items() if bounded} == severe & seen.keys()
    assert len(seen) > 0.9 * len(TWILIO_CODES)


def test_some_receipts_say_off_before_they_say_delivered() -> None:
    assert any(rule["kind"] == "delivered_late" for rule in STANDING)


def test_small_books_stand_beside_the_large_one_and_share_no_number() -> None:
    books = dict(card_books(400, DUE.date(), 1))
    assert [len(book.rows) for book in books.values()] == [400, *SMALL]
    rows = [row for book in books.values() for row in book.rows]
    assert len({row.msisdn for row in rows}) == len(rows)
    holders = {(row.contact_phone, row.email): row.holder for row in rows}
    assert len(set(holders.values())) == len({row.holder for row in rows})


def test_it_is_enough_when_all_has_happened_and_not_before() -> None:
    enough, seen = Enough(due=10, kills=2, faults=3), Seen(10, 2, 3, ALL)
    assert enough.missing(seen) == []
    assert enough.share(seen) == 1
    assert enough.missing(replace(seen, due=9)) == ["9 of 10 notices due"]
    assert enough.missing(replace(seen, kills=0)) == ["0 of 2 kills"]
    assert enough.missing(replace(seen, faults=2)) == ["2 of 3 faults"]
    assert enough.missing(replace(seen, blows={**ALL, Blow.FREEZE: 0})) == ["no freeze"]


def test_a_storm_that_has_not_seen_enough_is_never_called_held() -> None:
    calm = StormAccount(5, 5, {}, {}, 0, {}, 0, 0, 0, 0, 0, {}, 0.0)
    outcome = StormResult("sqlite", 1, 10, 1.0, 1.0, 0, 0, {}, [], calm)
    assert outcome.held
    assert not replace(outcome, missing=["319 of 1000 notices due"]).held
    assert not replace(outcome, account=replace(calm, lost=1)).held


MISSED = Missed("+51900000001", "America/Lima", "sms", DUE, DUE + timedelta(hours=8), 1)


def passing(count: int = 12, **how: Any) -> list[Passed]:
    """Others that went out on the same way, half an hour apart, from the moment on."""
    usual: dict[str, Any] = {
        "address": "+51900000002",
        "channel": "sms",
        "due_at": DUE,
        "useful_until": DUE + timedelta(days=2),
    }
    half = timedelta(minutes=30)
    return [Passed(**{**usual, **how, "at": DUE + half * number}) for number in range(count)]


def attempt(ended: timedelta | None, outcome: str, code: str = "") -> Any:
    ended_at = None if ended is None else DUE + ended
    return SimpleNamespace(
        started_at=DUE, ended_at=ended_at, outcome=outcome, code=code, address=MISSED.address
    )


def failing(at: timedelta, address: str = "+51900000003") -> Any:
    """Somebody else's try that found the way closed."""
    return SimpleNamespace(started_at=DUE + at, outcome="down", code="down", address=address)


def judged(
    passed: list[Passed],
    *own: Any,
    missed: Missed = MISSED,
    rules: Any = (),
    hours: Hours = HOURS,
    others: Any = (),
) -> bool:
    weather = Weather()
    weather.note(list(rules))
    world = World(weather.closed, hours, LEASE)
    return bool(kept_back([missed], passed, {1: own, 2: others}, world))


def test_a_notice_that_less_urgent_ones_overtook_for_hours_is_lost() -> None:
    assert judged(passing())
    early = timedelta(minutes=1)
    assert judged(passing(), *[attempt(early, "not_sent")] * 12), "all its tries came at once"


def test_a_notice_is_not_lost_where_nobody_else_came_through_either() -> None:
    assert not judged([])
    assert not judged(passing(4))
    assert not judged(passing(address="+34600000002")), "another country is another way"
    assert not judged(passing(channel="email"))


def test_a_way_that_was_out_between_two_spells_was_not_open_in_between() -> None:
    morning, evening = (
        passing(6),
        [replace(one, at=one.at + timedelta(hours=5)) for one in passing(3)],
    )
    out = [failing(timedelta(hours=hours)) for hours in (3, 4)]
    assert judged([*morning, *evening]), "nobody tried in between, so nothing says that it was out"
    assert not judged([*morning[:3], *evening], others=out)
    assert judged([*morning[:3], *evening], others=[failing(out[0].started_at - DUE, "+3460")])
    assert judged(passing(), others=out), "one answer that failed among many that did not"


def test_a_notice_is_not_lost_where_what_went_out_was_more_urgent_or_due_before() -> None:
    assert not judged(passing(useful_until=DUE + timedelta(hours=1)))
    assert not judged(passing(due_at=DUE - timedelta(hours=1)))


def test_a_notice_is_not_lost_while_its_recipient_or_country_is_refused() -> None:
    refused = {"channel": "sms", "kind": "code", "code": 21608, **SOON}
    lasting = {**refused, "until": (DUE + timedelta(days=1)).isoformat()}
    assert not judged(passing(), rules=[{**lasting, "to": MISSED.address}])
    assert not judged(passing(), rules=[{**lasting, "to": "+51*"}])
    assert judged(passing(), rules=[{**lasting, "to": "+51900000009"}]), "somebody else's refusal"
    assert judged(passing(14), rules=[{**refused, "to": MISSED.address}]), "over after two hours"


def test_a_notice_is_not_lost_in_its_holders_night() -> None:
    assert not judged(passing(), missed=replace(MISSED, time_zone="Asia/Shanghai"))


def test_a_notice_is_not_lost_that_was_tried_until_its_end() -> None:
    tries = [attempt(timedelta(hours=hours), "not_sent") for hours in (1, 3, 5)]
    assert not judged(passing(), *tries)


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        ("message_dead", "twilio:21617"),
        ("recipient_dead", "twilio:21211"),
        ("ambiguous", "timeout"),
        ("transient", "twilio:30003"),
    ],
)
def test_a_notice_is_not_lost_by_the_providers_own_word(outcome: str, code: str) -> None:
    assert not judged(passing(), attempt(timedelta(minutes=1), outcome, code))


def test_a_notice_is_not_lost_while_nobody_knows_how_its_call_ended() -> None:
    assert not judged(passing(), attempt(None, "not_sent"))


@pytest.mark.parametrize(
    ("began", "forbidden"),
    [(-1, 0), (1, 1), (3, 1), (5, 0)],
    ids=["before", "silent", "still", "again"],
)
def test_a_silence_holds_until_it_is_lifted(began: int, forbidden: int) -> None:
    life: Any = SimpleNamespace(
        opt_outs={("sms", "+51911111111"): DUE},
        lifted={("sms", "+51911111111"): DUE + timedelta(hours=4)},
    )
    attempt: Any = SimpleNamespace(address="+51911111111", started_at=DUE + timedelta(hours=began))
    assert after_opt_out([({"channel": "sms"}, attempt)], life) == forbidden
    life.lifted = {}
    assert after_opt_out([({"channel": "sms"}, attempt)], life) == (began > 0)
