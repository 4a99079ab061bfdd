"""The account of a day: was what is owed told?"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from worker.cardbook.exporter import as_text
from worker.core.cards import Destination
from worker.core.masking import tail
from worker.core.promise import JUDGED, Class
from worker.core.viewer import Viewer
from worker.monitoring.promise import Promise
from worker.store.accounts.users import books_named
from worker.store.console import notices as reads
from worker.store.console.notices import NoticeFilters, NoticeRow
from worker.store.console.pages import Key
from worker.store.console.today import DayAccount
from worker.store.console.today import day as day_account
from worker.store.verdicts import Judge
from worker.web.console import cursor
from worker.web.console.books import one_book
from worker.web.console.shell import ConsolePage, Shell
from worker.web.console.verdicts import ASKED, LATE, OWED, TONES
from worker.web.console.visit import Visit

_DAY: Final = timedelta(days=1)
_YEARS: Final = range(2000, 2100)
_LONGEST_REASON: Final = 100
# Rows of a file that are read at once.
_ROWS: Final = 500
_COLUMNS: Final = tuple(one.name for one in fields(NoticeRow) if one.name not in ("iccid",))


@dataclass(frozen=True, slots=True)
class AskedAccount:
    """What the address asks for: a ``day`` that lasts from ``since`` to ``until``."""

    day: date
    since: datetime
    until: datetime
    verdict: str
    filters: NoticeFilters


def pages(shell: Shell) -> list[ConsolePage]:
    """The addresses."""
    own = NoticesPages(shell)
    return [
        ConsolePage("GET", "/notices", own.look),
        ConsolePage("GET", "/notices.csv", own.file),
    ]


class NoticesPages:
    """Answers for them."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def look(self, visit: Visit) -> Response:
        """The page."""
        asked = self._asked(visit)
        viewer, book = one_book(visit)
        after = cursor.read_timed(visit.query.get("after", ""))
        with self._shell.reading() as conn:
            account = day_account(conn, viewer, asked.day)
            found = reads.listing(
                *(conn, viewer, self._judge(visit), asked.since, asked.until, asked.filters, after)
            )
            books = books_named(conn, visit.viewer)
        onward = cursor.written(found.after)
        return self._shell.page(
            visit,
            "notices",
            notices=found.rows,
            more=onward and _address(visit, "/notices", after=onward),
            file=_address(visit, "/notices.csv"),
            further=after is not None,
            sees_mailbox=self._shell.app.gateways.sandboxed and visit.own.user.role is not None,
            tones=TONES,
            day=asked.day,
            before=_address(visit, "/notices", day=str(asked.day - _DAY)),
            behind=_address(visit, "/notices", day=str(asked.day + _DAY)),
            card_day=self._shell.book_day(visit.now),
            **_sums(account),
            filters=asked.filters,
            verdict=asked.verdict,
            filtered=asked.filters != NoticeFilters(),
            verdicts=tuple(ASKED),
            windows=self._windows(),
            channels=[one.value for one in Destination],
            reasons=_reasons(account, asked.filters.reason),
            books=books,
            book=book,
        )

    def file(self, visit: Visit) -> Response:
        """All that the filters let through, as CSV, a page in memory at a time."""
        asked = self._asked(visit)
        viewer, _ = one_book(visit)
        judge = self._judge(visit)
        name = f"notices-{asked.day}.csv"
        return StreamingResponse(
            self._lines(viewer, judge, asked),
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    def _lines(self, viewer: Viewer, judge: Judge, asked: AskedAccount) -> Iterator[str]:
        """No transaction stays open between two pages, so whoever reads slowly holds up nobody."""
        yield "\ufeff" + _line(["card" if name == "msisdn" else name for name in _COLUMNS])
        after: Key | None = None
        while True:
            with self._shell.reading() as conn:
                wanted = (asked.since, asked.until, asked.filters, after, _ROWS)
                page = reads.listing(conn, viewer, judge, *wanted)
            yield "".join(_line(_cells(row)) for row in page.rows)
            after = page.after
            if after is None:
                return

    def _asked(self, visit: Visit) -> AskedAccount:
        get = visit.query.get
        day = _day(get("day", "")) or self._shell.book_day(visit.now)
        zone = ZoneInfo(self._shell.app.settings.book.time_zone)
        since, until = (
            datetime.combine(one, time(), zone).astimezone(UTC) for one in (day, day + _DAY)
        )
        verdict, window = get("verdict", ""), get("window", "")
        channel, reason = get("channel", ""), get("reason", "")
        known = {one.value for one in Destination}
        if (verdict and verdict not in ASKED) or (channel and channel not in known):
            raise HTTPException(404)
        if (
            len(window) > _LONGEST_REASON
            or len(reason) > _LONGEST_REASON
            or "\0" in window + reason
        ):
            raise HTTPException(404)
        filters = NoticeFilters(
            ASKED.get(verdict, ()), window or None, channel or None, reason or None
        )
        return AskedAccount(day, since, until, verdict, filters)

    def _judge(self, visit: Visit) -> Judge:
        app = self._shell.app
        return Promise(app.engine, app.rules, app.unchecked).judge(visit.now)

    def _windows(self) -> list[str]:
        policies = self._shell.app.rules.policies.values()
        found = {one.name for own in policies for one in own.windows if not one.closes}
        return ["event", *sorted(found)]


def _sums(account: DayAccount) -> dict[str, Any]:
    judged, on_time = account.notices(*JUDGED), account.notices(Class.ON_TIME)
    share = f"{100 * on_time / judged:.1f}".removesuffix(".0") if judged else None
    return {
        "counted": account.made_at,
        "share": share,
        "owed": account.notices(*OWED),
        "late": account.notices(*LATE),
        "missed": account.notices(*ASKED["missed"]),
    }


def _reasons(account: DayAccount, asked: str | None) -> list[str]:
    """What the notices of the day name as their reason, and what was asked for."""
    return sorted(
        {one.reason for one in account.tallies if one.reason} | ({asked} if asked else set())
    )


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise HTTPException(404) from None
    if len(text) != 10 or found.year not in _YEARS:
        raise HTTPException(404)
    return found


def _address(visit: Visit, path: str, **changed: str) -> str:
    """The same filters elsewhere, below the prefix of all addresses."""
    kept = {k: v for k, v in visit.query.items() if v and k != "after"} | changed
    return f"{path}?{urlencode(kept)}"


def _cells(row: NoticeRow) -> list[str]:
    cells = {name: getattr(row, name) for name in _COLUMNS}
    cells["msisdn"] = tail(row.msisdn, row.iccid)
    return [_cell(value) for value in cells.values()]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return as_text(value.isoformat() if isinstance(value, date) else str(value))


def _line(cells: list[str]) -> str:
    file = io.StringIO()
    csv.writer(file).writerow(cells)
    return file.getvalue()
