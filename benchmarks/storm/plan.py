"""What the storm does and when: decided by a seed before anything starts, so it can be repeated."""

import heapq
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import cycle
from typing import Any

from benchmarks.storm.book import PREFIXES
from worker.core.outcomes import ALONE, OutcomeKind, Row
from worker.providers.sendgrid.outcomes import SENDGRID_EVENTS, SENDGRID_STATUSES
from worker.providers.twilio.outcomes import TWILIO_CODES


class Blow(StrEnum):
    """One kind of harm, or of ordinary life at a bad moment."""

    KILL = "kill"  # SIGKILL a process of ours
    FREEZE = "freeze"  # SIGSTOP one past every lease, then SIGCONT
    EMPTY_QUEUE = "empty_queue"  # SIGKILL the queue server and delete what it had saved
    RESTART_DATABASE = "restart_database"
    NO_WRITES = "no_writes"  # SQLite's disk is full, PostgreSQL turns read-only
    CUT = "cut"  # the providers are out of reach
    DELAY = "delay"  # every byte to the providers takes its time
    FAULTS = "faults"  # what the providers answer from now on
    REFUSAL = "refusal"  # a recipient or a country is refused, for hours
    OUTAGE = "outage"  # a provider serves nobody, for hours
    RENEW = "renew"
    OPT_OUT = "opt_out"


@dataclass(frozen=True, slots=True)
class Step:
    """A blow, ``at`` seconds of real time after the start; ``options`` are the blow's own."""

    at: float
    blow: Blow
    options: Mapping[str, Any] = field(default_factory=dict)


# Mean seconds between two blows of a kind, on a machine of the usual pace.
_PAUSES: Mapping[Blow, float] = {
    Blow.KILL: 1.0,
    Blow.FREEZE: 12.0,
    Blow.EMPTY_QUEUE: 22.0,
    Blow.RESTART_DATABASE: 45.0,
    Blow.NO_WRITES: 18.0,
    Blow.CUT: 15.0,
    Blow.DELAY: 11.0,
    Blow.FAULTS: 4.0,
    Blow.REFUSAL: 5.0,
    Blow.OUTAGE: 40.0,
    Blow.RENEW: 0.8,
    Blow.OPT_OUT: 5.0,
}
# The first of each kind comes within so many seconds: a short storm has all of them too.
_FIRST = 10.0
# Longer than the lease of a call, which is 8 seconds.
_FROZEN = 10.5
# A provider's answer that is held back so long has run into our time limit, which is 1.5 seconds.
_HELD = 2.0
# What is always so: some handsets are reported as off, and get the text all the same.
STANDING: Sequence[Mapping[str, Any]] = (
    {"channel": "sms", "kind": "delivered_late", "code": 30005, "rate": 0.03},
)


def plan(seed: int, pace: float = 1.0) -> Iterator[Step]:
    """The steps of a storm without end, earliest first. ``pace``: how many times slower than usual
    the machine is, so that all takes as much longer."""
    return heapq.merge(*(_steps(seed, blow, pace) for blow in Blow), key=lambda step: step.at)


def _steps(seed: int, blow: Blow, pace: float) -> Iterator[Step]:
    # Each kind has its own chance: another kind of blow leaves the others as they are.
    source = random.Random(f"{seed}:{blow}")
    faults = _faults(source, pace) if blow is Blow.FAULTS else None
    at = min(_PAUSES[blow], _FIRST) * source.uniform(0.3, 1.0)
    while True:
        options = {"rules": next(faults)} if faults else _options(blow, source, pace)
        yield Step(at * pace, blow, options)
        at += _PAUSES[blow] * source.uniform(0.5, 1.5)


def _options(blow: Blow, source: random.Random, pace: float) -> dict[str, Any]:
    pick = source.random()
    match blow:
        case Blow.FREEZE:
            return {"pick": pick, "seconds": round(_FROZEN * pace, 2)}
        case Blow.NO_WRITES:
            return {"seconds": round((0.5 + pick * 2.5) * pace, 2)}
        case Blow.CUT:
            return {"seconds": round((0.3 + pick * 1.5) * pace, 2)}
        case Blow.DELAY:
            delay = round((0.02 + pick * 0.5) * pace, 3)
            return {"seconds": round((0.5 + pick * 3) * pace, 2), "delay": delay}
        case Blow.REFUSAL:
            return {"pick": pick, **_refusal(source)}
        case Blow.OUTAGE:
            return {"hours": round(2 + pick * 4, 1), "rules": _outage(source, pace)}
        case _:
            return {"pick": pick}


def _refusal(source: random.Random) -> dict[str, Any]:
    """One recipient or one country, of which the provider wants to hear nothing for a while. The
    recipients are only known when it happens: they are picked then."""
    hours = round(source.uniform(1, 12), 1)
    if source.random() < 0.3:
        code = source.choice((21408, 21606, 21703, 21612, 30034))
        rule = {"channel": "sms", "kind": "code", "code": code}
        return {"hours": hours, "rule": {**rule, "to": f"{source.choice(PREFIXES)}*"}}
    if source.random() < 0.7:
        code = source.choice((21608, 21612, 21214, 21211, 21614, 30450, 63038))
        return {"hours": hours, "rule": {"channel": "sms", "kind": "code", "code": code}}
    kinds: tuple[dict[str, Any], ...] = (
        {"kind": "error_before", "status": 400},
        {"kind": "error_before", "status": 422},
        {"kind": "blocked"},
        {"kind": "bounce"},
    )
    return {"hours": hours, "rule": {"channel": "email", **source.choice(kinds)}}


def _outage(source: random.Random, pace: float) -> list[dict[str, Any]]:
    """How a provider, or both, answers nobody: by silence, by an error, by a page of a box in
    between, or by asking for patience."""
    channels = source.choice((("sms",), ("email",), ("sms", "email")))
    how: dict[str, Any] = source.choice(
        (
            {"kind": "reset_before"},
            {"kind": "timeout_before", "hold_s": _HELD * pace},
            {"kind": "error_before", "status": 503},
            {"kind": "html_before", "status": 502},
            {"kind": "html_before", "status": 403},
            {"kind": "rate_limit", "retry_after": 30},
        )
    )
    return [{"channel": channel, **how} for channel in channels]


def _faults(source: random.Random, pace: float) -> Iterator[list[dict[str, Any]]]:
    """Every row of the outcome tables in turn, in shuffled order, a few at a time."""
    rows = list(_rows(pace))
    source.shuffle(rows)
    endless = cycle(rows)
    while True:
        yield _together([next(endless) for _ in range(5)])


def _together(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    severe = [row for row in rows if row.get("severe")]
    chosen = [row for row in rows if not row.get("severe")] + severe[:1]
    return [{k: v for k, v in row.items() if k != "severe"} for row in chosen]


def _is_severe(row: Row) -> bool:
    """A wrong key or a closed account stops a whole channel until the probe finds it mended, so
    such faults get short turns and never two of them at once. What concerns one recipient or one
    message rests by itself."""
    return row.kind is OutcomeKind.CONFIG_FAULT and row.scope not in ALONE


def _rows(pace: float) -> Iterator[dict[str, Any]]:
    for channel in ("sms", "email"):
        for kind in ("rate_limit", "error_before", "error_after", "reset_before", "reset_after",
                     "truncated_after", "html_before", "html_after"):  # fmt: skip
            yield {"channel": channel, "kind": kind, "rate": 0.15}
        for kind in ("timeout_before", "timeout_after", "trickle_after"):
            yield {"channel": channel, "kind": kind, "rate": 0.1, "hold_s": _HELD * pace}
        yield {"channel": channel, "kind": "slow", "rate": 0.2, "extra_ms": 400 * pace}
    for code, row in TWILIO_CODES.items():
        yield _rated({"channel": "sms", "kind": "code", "code": code}, row)
    for status, row in SENDGRID_STATUSES.items():
        yield _rated({"channel": "email", "kind": "error_before", "status": status}, row)
    for event in SENDGRID_EVENTS:
        yield {"channel": "email", "kind": event, "rate": 0.05}
    for code in (30003, 30004, 30005, 30006, 30007, 30008):
        yield {"channel": "sms", "kind": "undelivered", "code": code, "rate": 0.05}


def _rated(rule: dict[str, Any], row: Row) -> dict[str, Any]:
    if _is_severe(row):
        return {**rule, "rate": 0.06, "times": 2, "severe": True}
    return {**rule, "rate": 0.06}
