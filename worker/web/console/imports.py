"""Importing a card book: will this file do what I mean?"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Row
from starlette.exceptions import HTTPException
from starlette.responses import Response

from worker.core.console_languages import Tongue
from worker.core.jobs import JobKind, JobState
from worker.core.viewer import Role, Viewer
from worker.errors import VigenciaError
from worker.store import jobs as job_store
from worker.store.accounts.users import books_named
from worker.web.console import jobs
from worker.web.console.catalogs import marked as _
from worker.web.console.failures import failure
from worker.web.console.shell import ConsolePage, Shell
from worker.web.console.visit import Visit

_KINDS: Final = (JobKind.PREVIEW, JobKind.IMPORT)
_SHEET: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# What the reader may be told, as the form has it: the name of each field is that of the option.
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "date_order": ("dmy", "mdy"),
    "card_column": ("msisdn", "iccid", "imsi"),
    "excel_dates": ("1900", "1904"),
}
_WORDS: Final = ("encoding", "sheet", "contact_region", "kind", "operator")
_LONGEST_WORD: Final = 100
_LONGEST_NAME: Final = 100


def pages(shell: Shell) -> list[ConsolePage]:
    """The addresses."""
    own = ImportPages(shell)
    return [
        ConsolePage("GET", "/imports", own.begin),
        ConsolePage("POST", "/imports", own.send, upload=True),
        ConsolePage("GET", "/imports/{job_id:int}", own.look),
        ConsolePage("POST", "/imports/{job_id:int}/again", own.again),
        ConsolePage("POST", "/imports/{job_id:int}/apply", own.apply),
        ConsolePage("GET", "/imports/{job_id:int}/refused", own.refused),
    ]


class ImportPages:
    """Answers for them."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def begin(self, visit: Visit, wrong: str = "") -> Response:
        """Choose a file and a book; former imports stand below."""
        with self._shell.reading() as conn:
            mine = {k: v for k, v in books_named(conn, visit.viewer).items() if _may(visit, k)}
            former = job_store.latest(conn, visit.viewer, _KINDS)
        if not mine and not _may_begin(visit):
            raise HTTPException(403)
        return self._shell.page(
            visit,
            "imports",
            books=mine,
            may_begin=_may_begin(visit),
            former=[job for job in former if _may(visit, job.book_id)],
            wrong=self._shell.say(visit, wrong) if wrong else "",
            given={"book": visit.field("book"), "name": visit.field("name")},
        )

    def send(self, visit: Visit) -> Response:
        """A file came: have it looked at."""
        if visit.file is None or not visit.file.content:
            return self.begin(visit, _("Choose a file that is not empty."))
        chosen, name = visit.field("book"), visit.field("name")
        with self._shell.reading() as conn:
            mine = {str(k): v for k, v in books_named(conn, visit.viewer).items() if _may(visit, k)}
        if chosen and chosen not in mine:
            raise HTTPException(404)
        if not chosen and not _may_begin(visit):
            raise HTTPException(403)
        if not chosen and not 0 < len(name) <= _LONGEST_NAME:
            return self.begin(visit, _("Choose a book, or give the new one a name."))
        options: dict[str, Any] = {
            "book": mine[chosen] if chosen else name,
            "new_book": not chosen,
            "file": visit.file.name,
            "read": _read(visit),
            "values": {} if chosen else {"set_language": _language(visit)},
        }
        return self._ask(
            visit, JobKind.PREVIEW, int(chosen) if chosen else None, options, visit.file.content
        )

    def look(self, visit: Visit) -> Response:
        """What the file would do, what it did, or how far the look at it is."""
        job = self._job(visit)
        heading = _("Looking at the file…") if job.kind == JobKind.PREVIEW else _("Importing…")
        waits = jobs.under_way(self._shell, visit, job, self._shell.say(visit, heading))
        if waits is not None:
            return waits
        done = job.state == JobState.DONE
        applied = done and job.result["applied"]
        # Words are kept by their code; what is said beside them is the reader's own.
        return self._shell.page(
            visit,
            "import",
            job=job,
            result=job.result if done else None,
            applied=applied,
            read=job.options["read"],
            choices=_CHOICES,
            stale=not done and (job.error or {}).get("code") == "stale_preview",
            may_act=_may(visit, job.book_id),
        )

    def again(self, visit: Visit) -> Response:
        """Look at the same file once more, read in another way."""
        job, sent = self._sent(visit)
        options = {**job.options, "read": _read(visit)}
        kept = {k: options[k] for k in ("book", "new_book", "file", "read", "values")}
        return self._ask(visit, JobKind.PREVIEW, job.book_id, kept, sent)

    def apply(self, visit: Visit) -> Response:
        """Write what the preview has shown; the refused rows are left out if that was said."""
        job, sent = self._sent(visit)
        if job.kind != JobKind.PREVIEW or job.state != JobState.DONE:
            raise HTTPException(409)
        options = {
            **job.options,
            "previewed": job.result["digest"],
            "skip_bad": visit.field("rows") == "good",
        }
        return self._ask(visit, JobKind.IMPORT, job.book_id, options, sent)

    def refused(self, visit: Visit) -> Response:
        """The refused rows, as a workbook to correct and send again."""
        job = self._job(visit)
        with self._shell.reading() as conn:
            content = job_store.file_of(conn, visit.viewer, job.id, sent=False)
        if content is None:
            raise HTTPException(404)
        name = quote(job.output_name)
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
        return Response(content, media_type=_SHEET, headers=headers)

    def _ask(
        self,
        visit: Visit,
        kind: JobKind,
        book_id: int | None,
        options: Mapping[str, Any],
        sent: bytes,
    ) -> Response:
        try:
            job = jobs.ask(self._shell.app, visit, kind, book_id, options, sent)
        except VigenciaError as error:
            if type(error) is not VigenciaError:  # a database that is away, and the like
                raise
            return failure(self._shell, visit, 409, "/imports")
        return visit.go("/imports" if job is None else f"/imports/{job}")

    def _job(self, visit: Visit) -> Row[Any]:
        """The import in the path, for who may import: its cells hold whole numbers."""
        with self._shell.reading() as conn:
            job = jobs.seen(conn, visit, *_KINDS)
        if not _may(visit, job.book_id):
            raise HTTPException(403)
        return job

    def _sent(self, visit: Visit) -> tuple[Row[Any], bytes]:
        job = self._job(visit)
        with self._shell.reading() as conn:
            sent = job_store.file_of(conn, visit.viewer, job.id, sent=True)
        if sent is None:
            raise HTTPException(404)
        return job, sent


def _may(visit: Visit, book_id: int | None) -> bool:
    viewer: Viewer = visit.viewer
    return _may_begin(visit) if book_id is None else viewer.may(Role.OPERATOR, book_id)


def _may_begin(visit: Visit) -> bool:
    """A new book is for those whose role holds in every book, those to come too."""
    return visit.own.user.role in (Role.OPERATOR, Role.ADMIN)


def _read(visit: Visit) -> dict[str, Any]:
    """What the form says of how the file is read, as ``ReadOptions`` has it."""
    read: dict[str, Any] = {name: visit.field(name)[:_LONGEST_WORD] or None for name in _WORDS}
    for name, known in _CHOICES.items():
        chosen = visit.field(name)
        if chosen and chosen not in known:
            raise HTTPException(400)
        read[name] = chosen or None
    if read["excel_dates"]:
        read["excel_dates"] = int(read["excel_dates"])
    return {**read, "columns": _columns(visit), "any_phone": visit.field("any_phone") == "1"}


def _columns(visit: Visit) -> list[tuple[str, str]]:
    """Lines of ``header = field``."""
    lines = visit.field("columns").splitlines()[:_LONGEST_WORD]
    pairs = (line.rpartition("=")[::2] for line in lines if line.strip())
    found = [(header.strip(), field.strip()) for header, field in pairs]
    if not all(header and field for header, field in found):
        raise HTTPException(400)
    return found


def _language(visit: Visit) -> str:
    """A new book speaks as its keeper does, until it is told otherwise."""
    return {Tongue.ZH: "zh-Hans", Tongue.ES: "es-PE", Tongue.EN: "en"}[visit.tongue]
