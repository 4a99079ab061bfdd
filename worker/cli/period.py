"""`--from`, `--to` and `--book`, as accounts of what was take them."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import click

from worker.cli.output import InstantParam
from worker.errors import CardBookError
from worker.setup.app import App
from worker.store.books import find
from worker.store.engine import reading


class DayOrInstant(click.ParamType[date | datetime]):
    """A day such as 2026-06-05, or an ISO 8601 instant with its UTC offset."""

    name = "day|instant"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> date | datetime:
        """Parse it; a day stays a day, since its zone is not known here."""
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            if str(value)[:4].isdigit() and "T" not in str(value):
                self.fail(f"{value!r} is no day; write 2026-06-05", param, ctx)
            return InstantParam().convert(value, param, ctx)


def period(
    app: App,
    since: date | datetime | None,
    until: date | datetime | None,
    now: datetime,
    usual: timedelta,
) -> tuple[datetime, datetime]:
    """From when until when: a day from its beginning or to its end in the zone of the settings;
    where nothing is said, the ``usual`` time before ``now``."""
    zone = ZoneInfo(app.settings.book.time_zone)
    end = now if until is None else _instant(until, zone, timedelta(days=1))
    begin = end - usual if since is None else _instant(since, zone, timedelta())
    if begin >= end:
        raise click.UsageError("--from must be earlier than --to.")
    return begin, end


def _instant(value: date | datetime, zone: ZoneInfo, shift: timedelta) -> datetime:
    if isinstance(value, datetime):
        return value
    return datetime.combine(value + shift, time(), zone).astimezone(UTC)


def book_called(app: App, name: str | None) -> int | None:
    """The id of the book ``name``, also of one that was removed. Raises ``CardBookError``."""
    if name is None:
        return None
    with reading(app.engine) as conn:
        found = find(conn, name, removed=True)
    if found is None:
        raise CardBookError(f"There is no card book {name!r}.", "Import one first.")
    return found
