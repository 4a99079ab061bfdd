"""What will the next weeks cost, and what would a changed policy do?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row
from starlette.exceptions import HTTPException
from starlette.responses import Response

from worker.core.jobs import JobKind, JobState
from worker.errors import VigenciaError
from worker.store import jobs as job_store
from worker.store.accounts.users import books_named
from worker.web.console import jobs
from worker.web.console.catalogs import marked as _
from worker.web.console.failures import failure
from worker.web.console.shell import ConsolePage, Shell
from worker.web.console.visit import Visit

_DAYS: Final = 30
_MOST_DAYS: Final = 400
_LARGEST_POLICY: Final = 256 * 1024
_CHANNELS: Final = ("sms", "email", "guardian")
WIDTH, HEIGHT = 300.0, 100.0


@dataclass(frozen=True, slots=True)
class Column:
    """One day: its ``parts`` are (channel, messages, y, height), standing on each other."""

    on: date
    messages: int
    x: float
    width: float
    parts: Sequence[tuple[str, int, float, float]]


def pages(shell: Shell) -> list[ConsolePage]:
    """The addresses."""
    own = ForecastPages(shell)
    return [
        ConsolePage("GET", "/forecast", own.begin),
        ConsolePage("POST", "/forecast", own.ask, upload=True),
        ConsolePage("GET", "/forecast/{job_id:int}", own.look),
    ]


class ForecastPages:
    """Answers for them."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def begin(self, visit: Visit, wrong: str = "") -> Response:
        """Choose days and a book; former forecasts stand below."""
        with self._shell.reading() as conn:
            mine = books_named(conn, visit.viewer)
            known = job_store.latest(conn, visit.viewer, [JobKind.FORECAST])
        today = self._shell.book_day(visit.now)
        return self._shell.page(
            visit,
            "forecasts",
            books=mine,
            everything=_may_all(visit),
            former=[job for job in known if job.book_id is not None or _may_all(visit)],
            first=visit.field("from") or today.isoformat(),
            last=visit.field("to") or (today + timedelta(days=_DAYS - 1)).isoformat(),
            wrong=self._shell.say(visit, wrong) if wrong else "",
        )

    def ask(self, visit: Visit) -> Response:
        """Have the days played."""
        first, last = _day(visit.field("from")), _day(visit.field("to"))
        if first is None or last is None or not 0 <= (last - first).days < _MOST_DAYS:
            return self.begin(visit, _("Choose two days, the earlier one first."))
        policy: str | None = None
        if visit.file is not None and visit.file.content:
            if len(visit.file.content) > _LARGEST_POLICY:
                return self.begin(visit, _("That is not a policies.toml: it is too large."))
            try:
                policy = visit.file.content.decode()
            except UnicodeDecodeError:
                return self.begin(visit, _("That is not a policies.toml: it is not text."))
        book_id, name = self._book(visit)
        options = {
            "from": first.isoformat(),
            "to": last.isoformat(),
            "book": name,
            "policy": policy,
        }
        try:
            job = jobs.ask(self._shell.app, visit, JobKind.FORECAST, book_id, options)
        except VigenciaError as error:
            if type(error) is not VigenciaError:  # a database that is away, and the like
                raise
            return failure(self._shell, visit, 409, "/forecast")
        return visit.go("/forecast" if job is None else f"/forecast/{job}")

    def look(self, visit: Visit) -> Response:
        """What came of it, or how far it is."""
        with self._shell.reading() as conn:
            job = jobs.seen(conn, visit, JobKind.FORECAST)
        if job.book_id is None and not _may_all(visit):
            raise HTTPException(404)  # whose role was taken away since he asked
        heading = self._shell.say(visit, _("Working it out…"))
        waits = jobs.under_way(self._shell, visit, job, heading)
        if waits is not None:
            return waits
        sides = _sides(job)
        most = max((c.messages for side in sides for c in side["columns"]), default=0)
        return self._shell.page(
            visit,
            "forecast",
            job=job,
            sides=sides,
            most=most,
            only=[_named(job.result.get(name, ())) for name in ("only_in_a", "only_in_b")]
            if len(sides) == 2
            else [],
            different=job.result["different"] if sides else [],
            notices=_named(job.result["first"]) if len(sides) == 1 else [],
        )

    def _book(self, visit: Visit) -> tuple[int | None, str | None]:
        with self._shell.reading() as conn:
            mine = {str(k): v for k, v in books_named(conn, visit.viewer).items()}
        chosen = visit.field("book")
        if chosen:
            if chosen not in mine:
                raise HTTPException(404)
            return int(chosen), mine[chosen]
        if not _may_all(visit):
            raise HTTPException(403)
        return None, None


def _may_all(visit: Visit) -> bool:
    """All books are for those whose role holds in every book."""
    return visit.own.user.role is not None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _sides(job: Row[Any]) -> list[dict[str, Any]]:
    """What the rules in force lead to, and the changed ones if there were any, with one scale."""
    if job.state != JobState.DONE:
        return []
    result = job.result
    found = [result["a"], result["b"]] if "a" in result else [result]
    most = max((_messages(line) for side in found for line in side["totals"]["by_day"]), default=0)
    return [
        {**side["totals"], "columns": columns(side["totals"]["by_day"], most)} for side in found
    ]


def columns(lines: Sequence[Mapping[str, Any]], most: int) -> list[Column]:
    """A column for each day; one of ``most`` messages is as high as the drawing."""
    room, each = WIDTH / max(1, len(lines)), HEIGHT / (most or 1)
    found = []
    for number, line in enumerate(lines):
        parts, top = [], HEIGHT
        for channel in _CHANNELS:
            if messages := line[channel]:
                top -= messages * each
                parts.append((channel, messages, round(top, 2), round(messages * each, 2)))
        at = round(number * room + room * 0.1, 2)
        on = date.fromisoformat(line["day"])
        found.append(Column(on, _messages(line), at, round(room * 0.8, 2), parts))
    return found


def _messages(line: Mapping[str, Any]) -> int:
    return sum(int(line[channel]) for channel in _CHANNELS)


def _named(notices: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Notices as the page shows them."""
    return [
        {
            **one,
            "at": datetime.fromisoformat(one["at"]),
            "deadline_on": date.fromisoformat(one["deadline_on"]),
        }
        for one in notices
    ]
