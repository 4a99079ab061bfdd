"""`vigencia promise`: how every reminder that was owed ended, and with which proof."""

import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, fields
from datetime import date, datetime, timedelta
from typing import Any

import click

from worker.cli.output import as_json_option, plain, print_table
from worker.cli.period import DayOrInstant, book_called, period
from worker.cli.times import local
from worker.cli.waiting import why, with_wait
from worker.core.promise import BROKEN, Account, Class
from worker.monitoring.promise import Line, Promise, cause_of
from worker.setup.app import App
from worker.setup.build import build_ready
from worker.store import views
from worker.store.engine import reading

# What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
# What is told of a message that waits, and of how many with --json.
_MOST = 50
_WAITS = ("id", "book", "holder", "channel", "state", "waits_for", "waits_until")
_TEXTS = {"book", "card", "operator", "reason", "provider", "provider_id", "receipt"}


@click.command()
@click.option("--from", "since", type=DayOrInstant(), help="From here on (default: a day ago).")
@click.option("--to", "until", type=DayOrInstant(), help="Up to here (default: now).")
@click.option("--book", help="Only this card book.")
@click.option("--csv", "as_csv", is_flag=True, help="Print every reminder as a line of CSV.")
@click.option("--rows", is_flag=True, help="With --json: every reminder too.")
@click.option(
    "--limit",
    type=click.IntRange(0),
    help="At most this many lines (default: 50 of the missed ones, all with --csv or --rows).",
)
@as_json_option
def promise(
    since: date | datetime | None,
    until: date | datetime | None,
    book: str | None,
    as_csv: bool,
    rows: bool,
    limit: int | None,
    as_json: bool,
) -> None:
    """Account for every reminder that fell due in a period.

    A day counts from its beginning (--from) or to its end (--to), in the time zone of the
    settings. Exit code 1 if anything is missed or unexplained, if no way reaches a holder, or if
    cards wait to be checked.
    """
    if as_csv and (as_json or rows):
        raise click.UsageError("Choose --csv, or --json (with --rows if you like).")
    if rows and not as_json:
        raise click.UsageError("--rows goes with --json.")
    app = build_ready()
    now = app.now()
    begin, end = period(app, since, until, now, timedelta(days=1))
    book_id = book_called(app, book)
    report = _Report(app, begin, end, book, book_id, now)
    if as_csv:
        report.csv(limit)
    elif as_json:
        report.json(rows, 50 if limit is None else limit, limit)
    else:
        report.text(50 if limit is None else limit)
    sys.exit(0 if report.account.kept and not report.overdue else 1)


class _Report:
    """One period in one of three forms: line by line as it is read, or its sums."""

    def __init__(
        self,
        app: App,
        begin: datetime,
        end: datetime,
        book: str | None,
        book_id: int | None,
        now: datetime,
    ) -> None:
        self.begin, self.end, self.book, self.now = begin, end, book, now
        kept_since = now - app.retention.periods.proof
        self.deleted_before = kept_since if begin < kept_since else None
        self._app, self._book_id = app, book_id
        self._use_case = Promise(app.engine, app.rules, app.unchecked)
        self.overdue = self._use_case.checks_overdue(book_id, now)
        self.account = Account()
        self.broken: list[Line] = []

    def csv(self, limit: int | None) -> None:
        writer = csv.writer(sys.stdout)
        writer.writerow(field.name for field in fields(Line))
        for number, line in enumerate(self._lines(0)):
            if limit is None or number < limit:
                writer.writerow(_cell(name, value) for name, value in asdict(line).items())

    def json(self, rows: bool, missed: int, limit: int | None) -> None:
        """One document, its rows written as they are read."""
        comma = "{"
        if rows:
            click.echo('{"rows": [', nl=False)
            separator = "\n"
            for number, line in enumerate(self._lines(missed)):
                if limit is None or number < limit:
                    click.echo(separator + _dump(asdict(line)), nl=False)
                    separator = ",\n"
            click.echo("\n],")
            comma = ""
        else:
            self._sum_up(missed)
        document = json.dumps(self._document(), ensure_ascii=False, indent=1, default=plain)
        click.echo(comma + document[1:])

    def text(self, limit: int) -> None:
        self._sum_up(limit)
        account = self.account
        where = f"book {self.book}" if self.book else "all books"
        begin, end = (local(at, self._app.settings.book.time_zone) for at in (self.begin, self.end))
        click.echo(f"{begin} to {end}, {where}")
        share = account.on_time_share
        told = "-" if share is None else f"{share:.2%}"
        click.echo(f"{account.owed} reminders owed, on time: {told}\n")
        print_table(
            ("", "reminders", "why"),
            [
                (one.replace("_", " "), account.by_class[one], _reasons(account, one))
                for one in Class
                if account.by_class[one]
            ],
        )
        if self.broken:
            click.echo()
            print_table(
                ("reminder", "book", "holder", "card", "operator", "deadline", "window", "channel",
                 "cause"),
                [
                    (one.reminder, one.book, one.holder, f"{one.card_id} {one.card}", one.operator,
                     f"{one.deadline} {one.deadline_on}", one.window, one.channel, cause_of(one))
                    for one in self.broken
                ],
            )  # fmt: skip
        self._tell_waiting(limit)
        left = sum(account.by_class[one] for one in BROKEN) - len(self.broken)
        if left:
            click.echo(f"… and {left} more: --limit, or --csv for all.")
        self._next_step()

    def _tell_waiting(self, limit: int) -> None:
        """Who is to be told next, why not yet, and when."""
        if waiting := self._waiting(limit):
            click.echo()
            print_table(
                ("waits", "book", "holder", "channel", "why"),
                [(r["id"], r["book"], r["holder"], r["channel"], why(r)) for r in waiting],
            )

    def _waiting(self, limit: int) -> list[dict[str, Any]]:
        with reading(self._app.engine) as conn:
            rows = views.waiting_messages(conn, self._book_id, limit)
        return [with_wait(self._app, dict(row)) for row in rows]

    def _next_step(self) -> None:
        click.echo()
        if self.deleted_before:
            click.echo(
                f"Notices from before {self.deleted_before:%Y-%m-%d} are deleted after their time "
                "(retention.proof_days): not all of this period is counted."
            )
        if self.overdue:
            click.secho(
                f"{self.overdue} cards wait to be checked: what they owe is not known.", fg="red"
            )
            click.echo("  Next: do scheduler and workers run? vigencia doctor")
        if not self.account.kept:
            click.secho("The promise was not kept for all of them.", fg="red")
            click.echo(
                "  Next: tell these holders by other means (vigencia cards show CARD), then see "
                "docs/promise.md for each cause."
            )
        elif not self.overdue:
            click.secho("Nothing is missed, and everything is explained.", fg="green")

    def _sum_up(self, keep: int) -> None:
        """The sums, and the first ``keep`` lines of what breaks the promise: nothing else is
        read."""
        period = (self.begin, self.end, self._book_id, self.now)
        self.account = self._use_case.account(*period)
        if keep and not self.account.kept:
            self.broken = self._use_case.broken(*period, keep)

    def _lines(self, keep: int) -> Iterator[Line]:
        """All lines, counted; the first ``keep`` of those that break the promise are kept."""
        for line, owed in self._use_case.lines(self.begin, self.end, self._book_id, self.now):
            if self.account.add(owed, self.now) in BROKEN and len(self.broken) < keep:
                self.broken.append(line)
            yield line

    def _document(self) -> dict[str, Any]:
        account = self.account
        reasons = {one: dict(found.most_common()) for one, found in account.reasons.items()}
        return {
            "from": self.begin,
            "to": self.end,
            "book": self.book,
            "owed": account.owed,
            "by_state": dict(sorted(account.by_state.items())),
            **{one.value: account.by_class[one] for one in (Class.ON_TIME, Class.LATE)},
            "on_time_share": account.on_time_share,
            "open": account.by_class[Class.WAITING] + account.by_class[Class.OVERDUE],
            "waiting": [{name: row[name] for name in _WAITS} for row in self._waiting(_MOST)],
            "overdue": account.by_class[Class.OVERDUE],
            "suppressed": reasons.get(Class.SUPPRESSED, {}),
            "superseded": reasons.get(Class.SUPERSEDED, {}),
            "missed": [_missed(line) for line in self.broken if line.verdict == Class.MISSED],
            "missed_count": account.by_class[Class.MISSED],
            "missed_causes": reasons.get(Class.MISSED, {}),
            "unreached": [_missed(one) for one in self.broken if one.verdict == Class.UNREACHED],
            "unreached_count": account.by_class[Class.UNREACHED],
            "unreached_causes": reasons.get(Class.UNREACHED, {}),
            "unexplained": [
                _missed(one) for one in self.broken if one.verdict == Class.UNEXPLAINED
            ],
            "unexplained_count": account.by_class[Class.UNEXPLAINED],
            "checks_overdue": self.overdue,
            "deleted_before": self.deleted_before,
            "kept": account.kept and not self.overdue,
        }


def _missed(line: Line) -> dict[str, Any]:
    return {**asdict(line), "cause": cause_of(line)}


def _reasons(account: Account, one: Class) -> str:
    found = account.reasons.get(one)
    return ", ".join(f"{why} {number}" for why, number in found.most_common(6)) if found else ""


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=plain)


def _cell(name: str, value: Any) -> Any:
    """A cell; text that a spreadsheet would compute is marked as text."""
    if isinstance(value, date | datetime):
        return plain(value)
    if name in _TEXTS and isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value
