"""The blows themselves, each on the real thing."""

import json
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from typing import Any

from worker.storm.life import Life
from worker.storm.plan import Blow, Step
from worker.storm.stage import Stage

_OBSERVE_SECONDS = 0.25


class Striker:
    """Strikes at a stage, and mends what heals by itself."""

    def __init__(self, on: Stage, life: Life) -> None:
        self._on, self._life = on, life
        self._heals: list[tuple[float, Callable[[], None]]] = []
        self.blows: Counter[str] = Counter()
        # Reports come late, twice and out of order, and some of SMS never.
        # Of email all come in the end: SendGrid repeats them for 24 hours.
        spoilt = {"duplicate_rate": 0.2, "shuffle": True, "drop_rate": 0.02, "event_drop_rate": 0}
        self._sandbox("POST", "webhooks", {"status_delay_ms": 300, "retry_ms": 250, **spoilt})

    def wait_until(self, at: float) -> None:
        """Let real time pass until ``at`` seconds after the start."""
        while (left := at - self._on.clock.elapsed()) > 0:
            self._life.observe()
            self._heal()
            time.sleep(min(left, _OBSERVE_SECONDS))

    def strike(self, step: Step) -> None:
        """Do what ``step`` says."""
        self._heal()
        _BLOWS[step.blow](self, **step.options)
        self.blows[step.blow] += 1

    def calm(self) -> None:
        """Mend everything."""
        self._sandbox("PUT", "faults", [])
        self._on.network.cut(False)
        self._on.network.slow(0)
        self._heals.clear()

    def _heal(self) -> None:
        now = self._on.clock.elapsed()
        for due in [heal for heal in self._heals if heal[0] <= now]:
            self._heals.remove(due)
            due[1]()

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

    def _faults(self, rules: list[dict[str, Any]]) -> None:
        self._sandbox("PUT", "faults", rules)

    def _renew(self, pick: float) -> None:
        self._life.renew(pick)

    def _opt_out(self, pick: float) -> None:
        self._life.opt_out(pick)

    def _later(self, seconds: float, heal: Callable[[], None]) -> None:
        self._heals.append((self._on.clock.elapsed() + seconds, heal))

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
    Blow.RENEW: Striker._renew,
    Blow.OPT_OUT: Striker._opt_out,
}
