"""The blows themselves, each on the real thing."""

import json
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from benchmarks.storm.life import StormLife
from benchmarks.storm.plan import STANDING, Blow, Step
from benchmarks.storm.stage import StormStage
from benchmarks.storm.weather import Weather
from worker.demo.audit import read_json

_OBSERVE_SECONDS = 0.25


class Striker:
    """Strikes at a stage, and mends what heals by itself."""

    def __init__(self, on: StormStage, life: StormLife, pace: float = 1.0) -> None:
        self._on, self._life = on, life
        self.weather = Weather()
        self._heals: list[tuple[threading.Timer, Callable[[], None]]] = []
        # What the sandbox answers: for a while (refusals, outages), and until the next faults.
        self._lasting: list[tuple[datetime, dict[str, Any]]] = []
        self._passing: list[dict[str, Any]] = []
        self.blows: Counter[str] = Counter()
        # Reports come late, twice and out of order, and some of SMS never.
        # Of email all come in the end: SendGrid repeats them for 24 hours.
        spoilt = {"duplicate_rate": 0.2, "shuffle": True, "drop_rate": 0.02, "event_drop_rate": 0}
        self._sandbox(
            "POST", "webhooks", {"status_delay_ms": 300 * pace, "retry_ms": 250 * pace, **spoilt}
        )

    def wait_until(self, at: float) -> None:
        """Let real time pass until ``at`` seconds after the start."""
        while (left := at - self._on.clock.elapsed()) > 0:
            self._life.observe()
            time.sleep(min(left, _OBSERVE_SECONDS))

    def strike(self, step: Step) -> None:
        """Do what ``step`` says."""
        _BLOWS[step.blow](self, **step.options)
        self.blows[step.blow] += 1

    def calm(self) -> None:
        """Mend everything."""
        self._sandbox("PUT", "faults", [])
        for timer, heal in self._heals:
            timer.cancel()
            heal()  # to mend what is whole does no harm
        self._heals.clear()
        self._on.company.thaw()

    def spoiled(self) -> int:
        """How many answers the sandbox has spoiled."""
        return sum(
            read_json(f"{self._on.sandbox_url}/sandbox/record")["counters"]["faults"].values()
        )

    def _kill(self, pick: float) -> None:
        self._on.company.kill_one(pick)

    def _empty_queue(self, pick: float) -> None:
        self._on.empty_queue()

    def _restart_database(self, pick: float) -> None:
        self._on.database.restart()

    def _cut(self, seconds: float) -> None:
        self._on.network.cut(True)
        self._later(seconds, lambda: self._on.network.cut(False))

    def _delay(self, seconds: float, delay: float) -> None:
        self._on.network.slow(delay)
        self._later(seconds, lambda: self._on.network.slow(0))

    def _freeze(self, pick: float, seconds: float) -> None:
        self._later(seconds, self._on.company.freeze_one(pick))

    def _no_writes(self, seconds: float) -> None:
        self._on.database.refuse(self._on.company.pids())
        self._later(seconds, lambda: self._on.database.accept(self._on.company.pids()))

    def _faults(self, rules: list[dict[str, Any]]) -> None:
        self._passing = rules
        self._tell_sandbox()

    def _refusal(self, pick: float, hours: float, rule: dict[str, Any]) -> None:
        to = rule.get("to") or self._life.address(rule["channel"], pick)
        if to is not None:
            self._last(hours, [{**rule, "to": to}])

    def _outage(self, hours: float, rules: list[dict[str, Any]]) -> None:
        self._last(hours, rules)

    def _last(self, hours: float, rules: list[dict[str, Any]]) -> None:
        """Let ``rules`` hold for ``hours`` of the storm's clock."""
        now = self._on.clock.now()
        until = now + timedelta(hours=hours)
        timed = [{**r, "since": now.isoformat(), "until": until.isoformat()} for r in rules]
        self.weather.note(timed)
        self._lasting += [(until, rule) for rule in timed]
        self._tell_sandbox()

    def _tell_sandbox(self) -> None:
        now = self._on.clock.now()
        self._lasting = [(until, rule) for until, rule in self._lasting if until > now]
        lasting = [rule for _, rule in self._lasting]
        self._sandbox("PUT", "faults", [*lasting, *self._passing, *STANDING])

    def _renew(self, pick: float) -> None:
        self._life.renew(pick)

    def _opt_out(self, pick: float) -> None:
        self._life.opt_out(pick)

    def _later(self, seconds: float, heal: Callable[[], None]) -> None:
        # In a thread of its own: this one may be waiting for what is to be mended.
        timer = threading.Timer(seconds, heal)
        timer.daemon = True
        timer.start()
        self._heals.append((timer, heal))

    def _sandbox(self, method: str, path: str, body: object) -> None:
        request = urllib.request.Request(  # noqa: S310 - our own sandbox
            f"{self._on.sandbox_url}/sandbox/{path}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=10):  # noqa: S310
            pass


_BLOWS: dict[Blow, Callable[..., None]] = {
    Blow.KILL: Striker._kill,
    Blow.EMPTY_QUEUE: Striker._empty_queue,
    Blow.RESTART_DATABASE: Striker._restart_database,
    Blow.CUT: Striker._cut,
    Blow.DELAY: Striker._delay,
    Blow.FAULTS: Striker._faults,
    Blow.FREEZE: Striker._freeze,
    Blow.NO_WRITES: Striker._no_writes,
    Blow.REFUSAL: Striker._refusal,
    Blow.OUTAGE: Striker._outage,
    Blow.RENEW: Striker._renew,
    Blow.OPT_OUT: Striker._opt_out,
}
