"""How far the demo is: a line for each day that is over, or a bar where only the end is printed."""

import sys
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

if TYPE_CHECKING:
    from sqlalchemy import Engine

_COLUMNS = "{:10}  {:>4}  {:>5}  {}"


class DayTable:
    """Prints what was sent on each day as soon as that day is over in Lima."""

    def __init__(self, engine: "Engine", start: datetime) -> None:
        self._engine = engine
        self._told_until, self._days = start, 0

    def reached(self, now: datetime) -> None:
        """The demo has played everything before ``now``."""
        from worker.core.cards import CARD_TIME_ZONE
        from worker.core.hours import local_day

        before = self._told_until
        if local_day(now, CARD_TIME_ZONE) > local_day(before, CARD_TIME_ZONE):
            self._tell()
            self._told_until = now

    def _tell(self) -> None:
        from worker.demo.summary import by_day
        from worker.store.engine import reading

        with reading(self._engine) as conn:
            days = by_day(conn, self._told_until)
        for day in days:
            row = _COLUMNS.format(str(day.day), day.sms, day.email, day.troubled or "")
            click.echo(row.rstrip())
        self._days += len(days)

    def __enter__(self) -> Self:
        titles = _COLUMNS.format("day", "SMS", "email", "calls that failed first")
        click.secho(titles, bold=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._tell()
            if not self._days:
                click.echo("Nothing was due: no card of this book comes near its end in this time.")


class Bar:
    """Draws a bar on a terminal and nothing elsewhere."""

    def __init__(self, start: datetime, days: int) -> None:
        self._start, self._days, self._shown = start, days, 0
        self._bar = click.progressbar(
            length=days, label=f"{days} days", file=sys.stderr, hidden=not sys.stderr.isatty()
        )

    def reached(self, now: datetime) -> None:
        """The demo has played everything before ``now``."""
        gone = min((now - self._start).days, self._days)
        self._bar.update(gone - self._shown)
        self._shown = gone

    def __enter__(self) -> Self:
        self._bar.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.__exit__(kind, error, trace)
