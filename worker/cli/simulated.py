"""Who is told what on which day: the notices of a simulation as a table."""

import heapq
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import click

from worker.cli.output import print_table
from worker.cli.times import local, place
from worker.core.cards import CARD_TIME_ZONE

# What goes out to somebody; the others end without a message.
_GOES = ("send", "guardian")


@dataclass(slots=True)
class Listing:
    """The first ``most`` notices by time that go out, and how many there are in all."""

    most: int
    _first: list[dict[str, Any]] = field(default_factory=list)
    _count: int = 0

    def reading(self, results: Iterable[Any]) -> Iterator[Any]:
        """``results`` unchanged; of each part the notices are looked at as it passes."""
        for sides in results:
            found = [json.loads(text) for text in sides[0].notices]
            goes = [one for one in found if one["outcome"] in _GOES]
            self._count += len(goes)
            self._first = heapq.nsmallest(self.most, [*self._first, *goes], key=lambda o: o["at"])
            yield sides

    def tell(self) -> None:
        """Print them, a line each, under their days."""
        if not self._first:
            return
        print_table(
            ("day", place(CARD_TIME_ZONE), "holder", "channel", "what", "card"),
            [_cells(one) for one in self._first],
        )
        if self._count > len(self._first):
            click.echo(f"… and {self._count - len(self._first)} more: --limit, or --json for all.")
        click.echo()


def _cells(notice: dict[str, Any]) -> tuple[str, ...]:
    day, at, *_ = str(local(datetime.fromisoformat(notice["at"]), CARD_TIME_ZONE)).split()
    window = "" if notice["window"] == "event" else f" ({notice['window']})"
    what = f"{notice['deadline'].replace('_', ' ')} {notice['deadline_on']}{window}"
    return day, at, notice["holder"], notice["channel"], what, str(notice["card"])
