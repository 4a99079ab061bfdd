"""What the storm does and when: decided by a seed before anything starts, so it can be repeated."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import accumulate, cycle
from typing import Any

from worker.core.outcomes import SENDGRID_EVENTS, SENDGRID_STATUSES, TWILIO_CODES, OutcomeKind


class Blow(StrEnum):
    """One kind of harm, or of ordinary life at a bad moment."""

    KILL = "kill"  # SIGKILL a process of ours
    EMPTY_QUEUE = "empty_queue"  # SIGKILL the queue server and delete what it had saved
    RESTART_DATABASE = "restart_database"
    CUT = "cut"  # the providers are out of reach
    DELAY = "delay"  # every byte to the providers takes its time
    FAULTS = "faults"  # what the providers answer from now on
    RENEW = "renew"
    OPT_OUT = "opt_out"


@dataclass(frozen=True, slots=True)
class Step:
    """A blow, ``at`` seconds of real time after the start; ``options`` are the blow's own."""

    at: float
    blow: Blow
    options: Mapping[str, Any] = field(default_factory=dict)


# Mean real seconds between two blows of a kind: some 120 kills in the default 130 seconds.
_PAUSES: Mapping[Blow, float] = {
    Blow.KILL: 1.0,
    Blow.EMPTY_QUEUE: 22.0,
    Blow.RESTART_DATABASE: 45.0,
    Blow.CUT: 15.0,
    Blow.DELAY: 11.0,
    Blow.FAULTS: 4.0,
    Blow.RENEW: 0.8,
    Blow.OPT_OUT: 5.0,
}
# A wrong key or a closed account stops a whole channel until the probe finds it mended, so these
# faults get short turns and never two of them at once.
_SEVERE = OutcomeKind.CONFIG_FAULT


def plan(seed: int, seconds: float) -> list[Step]:
    """All steps of a storm of ``seconds``, earliest first."""
    source = random.Random(seed)  # noqa: S311 - repeatable on purpose
    faults = _faults(source)
    steps = [
        Step(at, blow, {"rules": next(faults)} if blow is Blow.FAULTS else _options(blow, source))
        for blow, pause in _PAUSES.items()
        for at in _instants(source, pause, seconds)
    ]
    return sorted(steps, key=lambda step: step.at)


def _instants(source: random.Random, pause: float, seconds: float) -> list[float]:
    """Irregular, but no fewer than ``seconds / pause``: each pause varies by a half either way."""
    pauses = (pause * source.uniform(0.5, 1.5) for _ in range(int(seconds / pause)))
    return [at for at in accumulate(pauses) if at < seconds]


def _options(blow: Blow, source: random.Random) -> dict[str, Any]:
    pick = source.random()
    match blow:
        case Blow.CUT:
            return {"seconds": round(0.3 + pick * 1.5, 2)}
        case Blow.DELAY:
            return {"seconds": round(0.5 + pick * 3, 2), "delay": round(0.02 + pick * 0.5, 3)}
        case _:
            return {"pick": pick}


def _faults(source: random.Random) -> Iterator[list[dict[str, Any]]]:
    """Every row of the outcome tables in turn, in shuffled order, a few at a time."""
    rows = list(_rows())
    source.shuffle(rows)
    endless = cycle(rows)
    while True:
        yield _together([next(endless) for _ in range(5)])


def _together(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    severe = [row for row in rows if row.get("severe")]
    chosen = [row for row in rows if not row.get("severe")] + severe[:1]
    return [{k: v for k, v in row.items() if k != "severe"} for row in chosen]


def _rows() -> Iterator[dict[str, Any]]:
    for channel in ("sms", "email"):
        for kind in ("rate_limit", "error_before", "error_after", "reset_before", "reset_after",
                     "truncated_after", "html_before", "html_after"):  # fmt: skip
            yield {"channel": channel, "kind": kind, "rate": 0.15}
        for kind in ("timeout_before", "timeout_after"):
            yield {"channel": channel, "kind": kind, "rate": 0.1, "hold_s": 2}
        yield {"channel": channel, "kind": "slow", "rate": 0.2, "extra_ms": 400}
    for code, row in TWILIO_CODES.items():
        rule = {"channel": "sms", "kind": "code", "code": code, "rate": 0.06}
        if row.kind is _SEVERE:
            rule |= {"times": 2, "severe": True}
        yield rule
    for status, row in SENDGRID_STATUSES.items():
        rule = {"channel": "email", "kind": "error_before", "status": status, "rate": 0.06}
        if row.kind is _SEVERE:
            rule |= {"times": 2, "severe": True}
        yield rule
    for event in SENDGRID_EVENTS:
        yield {"channel": "email", "kind": event, "rate": 0.05}
    for code in (30003, 30004, 30005, 30006, 30007, 30008):
        yield {"channel": "sms", "kind": "undelivered", "code": code, "rate": 0.05}
