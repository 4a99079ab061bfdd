"""What will be sent on which day, and what a changed policy would do."""

import heapq
import io
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from worker.core.jobs import JobProgress
from worker.errors import ConfigError
from worker.paths import config_dir
from worker.processes.jobs.hand import Hand, LostError
from worker.setup.app import App
from worker.simulation.collect import Paper, collect
from worker.simulation.period import Period
from worker.simulation.prepare import prepare
from worker.simulation.processes import run
from worker.store import jobs
from worker.store.engine import writing

# So many notices are named; the sums are of all.
_NAMED = 50
# What goes out to somebody; the others end without a message.
_GOES = ("send", "guardian")
_NOW, _NEW = "in_force", "policies.toml"


def work(app: App, hand: Hand) -> None:
    """Simulate the days. The options: ``from`` and ``to`` (ISO days), ``book`` (a name, or none for
    all) and ``policy``: the text of a changed policies.toml, or none.

    Raises ``ConfigError`` for a wrong policy, ``PeriodError`` for wrong days.
    """
    wanted = hand.job.options
    first, last = (date.fromisoformat(wanted[name]) for name in ("from", "to"))
    period = Period.of(first, last, app.now())
    with TemporaryDirectory(prefix="vigencia-job-") as folder:
        policies: list[Path] = []
        if wanted["policy"] is not None:
            changed = Path(folder) / _NEW
            changed.write_text(wanted["policy"], encoding="utf-8")
            policies = [config_dir() / _NEW, changed]
        try:
            plan, spans = prepare(app, period, wanted["book"], policies, listed=True)
        except ConfigError as error:  # where we keep the file is nobody's business
            told = error.message.replace(f"{folder}{os.sep}", "")
            raise ConfigError(told, error.hint) from None
    heads = [
        {"from": wanted["from"], "to": wanted["to"], "policy": name}
        for name in (_NOW, _NEW)[: max(1, len(policies))]
    ]
    total = sum(span.cards for span in spans)
    paper, earliest = io.StringIO(), _First()
    results = earliest.of(_telling(run(plan, spans), hand, total))
    found = collect(results, heads, period, plan.prices, Paper(paper, _NAMED))
    document = json.loads(paper.getvalue()) | {
        "different": found.different,
        "first": earliest.found,
    }
    with writing(app.engine) as conn:
        if not jobs.finish(conn, hand.job, document, app.now()):
            raise LostError("The job was given to another worker.")


@dataclass(slots=True)
class _First:
    """The first notices by time that go out, whatever the order of their holders."""

    found: list[dict[str, Any]] = field(default_factory=list)

    def of(self, results: Iterable[Any]) -> Iterator[Any]:
        """``results`` unchanged; each part is looked at as it passes."""
        for sides in results:
            notices = (json.loads(text) for text in sides[0].notices)
            goes = [one for one in notices if one["outcome"] in _GOES]
            every = [*self.found, *goes]
            self.found = heapq.nsmallest(_NAMED, every, key=lambda one: one["at"])
            yield sides


def _telling(results: Iterable[tuple[Any, Any]], hand: Hand, total: int) -> Iterator[Any]:
    done = 0
    for span, sides in results:
        done += span.cards
        hand.tell(JobProgress(done, total, "simulating"))
        yield sides
