"""Jobs: asked for at a door, taken by a worker with a lease, ended with a result or an error."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update

from worker.core.jobs import (
    HINT,
    LEASE,
    MOST_AT_ONCE,
    MOST_STARTS,
    JobKind,
    JobProgress,
    JobState,
    kept,
)
from worker.core.viewer import Viewer
from worker.errors import VigenciaError
from worker.store.tables import jobs

_SHOWN = tuple(column for column in jobs.c if column.name not in ("input", "output", "lease"))


@dataclass(frozen=True, slots=True)
class Job:
    """A job in a worker's hands; ``lease`` shows that it still is."""

    id: int
    kind: JobKind
    book_id: int | None
    asked_by: str
    asked_at: datetime
    options: Mapping[str, Any]
    input: bytes | None
    lease: UUID


def ask(
    conn: Connection,
    kind: JobKind,
    *,
    book_id: int | None,
    by: str,
    options: Mapping[str, Any],
    now: datetime,
    input_: bytes | None = None,
) -> int:
    """Ask for a job; returns its id. Raises ``VigenciaError`` while the book has enough of them."""
    same = jobs.c.book_id.is_(None) if book_id is None else jobs.c.book_id == book_id
    waiting = select(func.count()).where(same, jobs.c.wake_at.is_not(None))
    if conn.execute(waiting).scalar_one() >= MOST_AT_ONCE:
        raise VigenciaError(
            f"{MOST_AT_ONCE} jobs of this book are under way.", "Wait until one of them has ended."
        )
    row = {
        "book_id": book_id,
        "kind": kind,
        "state": JobState.QUEUED,
        "asked_by": by,
        "asked_at": now,
        "options": dict(options),
        "input": input_,
        "wake_at": now,
    }
    return int(conn.execute(insert(jobs).values(row).returning(jobs.c.id)).scalar_one())


def any_due(conn: Connection, now: datetime) -> bool:
    """Is there a job that nobody has in hand?"""
    return conn.execute(select(jobs.c.id).where(jobs.c.wake_at <= now).limit(1)).first() is not None


def due(conn: Connection, now: datetime, limit: int) -> list[int]:
    """The jobs that nobody has in hand, the oldest first; those of lost workers are among them.
    Whoever asks has them worked: nobody is told of them again for ``HINT``."""
    found = select(jobs.c.id).where(jobs.c.wake_at <= now).order_by(jobs.c.id).limit(limit)
    claimed = (
        update(jobs)
        .where(jobs.c.id.in_(found.with_for_update(skip_locked=True)))
        .values(state=JobState.QUEUED, wake_at=now + HINT, lease=None)
        .returning(jobs.c.id)
    )
    return sorted(int(one) for one in conn.execute(claimed).scalars())


def waits(conn: Connection, job_id: int) -> bool:
    """Is the job there, and in nobody's hands?"""
    mine = select(jobs.c.id).where(jobs.c.id == job_id, jobs.c.state == JobState.QUEUED)
    return conn.execute(mine).first() is not None


def take(conn: Connection, job_id: int, now: datetime) -> Job | None:
    """Take the job, unless somebody has it or it has ended. One that took its workers along is
    failed instead."""
    mine = (jobs.c.id == job_id) & (jobs.c.state == JobState.QUEUED)
    taken = {"starts": jobs.c.starts + 1, "wake_at": now + LEASE, "lease": uuid4()}
    row = conn.execute(
        update(jobs)
        .where(mine, jobs.c.starts < MOST_STARTS)
        .values(state=JobState.RUNNING, **taken)
        .returning(jobs)
    ).first()
    if row is not None:
        return _job(row)
    kind = conn.execute(select(jobs.c.kind).where(mine)).scalar()
    if kind is not None:
        told = {"message": f"Its worker was lost {MOST_STARTS} times.", "hint": "Ask again."}
        ended = _ended(JobState.FAILED, kind, now, error=told)
        conn.execute(update(jobs).where(mine).values(ended))
    return None


def go_on(conn: Connection, job: Job, progress: JobProgress | None, now: datetime) -> bool:
    """The job is still in hand, and has come so far; whether it is still ours."""
    values: dict[str, Any] = {"wake_at": now + LEASE}
    if progress is not None:
        values |= {"done": progress.done, "total": progress.total, "step": progress.step[:50]}
    return conn.execute(update(jobs).where(*_ours(job)).values(values)).rowcount == 1


def finish(
    conn: Connection,
    job: Job,
    result: Mapping[str, Any],
    now: datetime,
    output: tuple[str, bytes] | None = None,
) -> bool:
    """Write what came of it, in the transaction of its effect; whether it was still ours. If not,
    the caller takes its effect back. ``output``: a file's name and content."""
    name, content = output or (None, None)
    values = _ended(JobState.DONE, job.kind, now, result=dict(result))
    values |= {"output": content, "output_name": name}
    return conn.execute(update(jobs).where(*_ours(job)).values(values)).rowcount == 1


def fail(conn: Connection, job: Job, error: VigenciaError, now: datetime) -> None:
    """Write why nothing came of it."""
    told = {"code": error.code, "message": error.message, "hint": error.hint}
    values = _ended(JobState.FAILED, job.kind, now, error=told)
    conn.execute(update(jobs).where(*_ours(job)).values(values))


def show(conn: Connection, viewer: Viewer, job_id: int) -> Row[Any] | None:
    """A job of the viewer's books, without its files; of all books only for who asked."""
    return conn.execute(select(*_SHOWN).where(jobs.c.id == job_id, _visible(viewer))).first()


def find(conn: Connection, job_id: int) -> Row[Any] | None:
    """A job without its files, for whoever runs the service."""
    return conn.execute(select(*_SHOWN).where(jobs.c.id == job_id)).first()


def every(conn: Connection, kinds: Sequence[JobKind], limit: int) -> Sequence[Row[Any]]:
    """All jobs of these kinds, as ``find`` shows one, the newest first."""
    found = select(*_SHOWN).where(jobs.c.kind.in_(kinds))
    return conn.execute(found.order_by(jobs.c.id.desc()).limit(limit)).all()


def latest(
    conn: Connection, viewer: Viewer, kinds: Sequence[JobKind], limit: int = 20
) -> Sequence[Row[Any]]:
    """The viewer's jobs of these kinds, the newest first, without their files."""
    found = select(*_SHOWN).where(jobs.c.kind.in_(kinds), _visible(viewer))
    return conn.execute(found.order_by(jobs.c.id.desc()).limit(limit)).all()


def file_of(conn: Connection, viewer: Viewer, job_id: int, *, sent: bool) -> bytes | None:
    """The file that was ``sent`` with a job, or the one that came of it, while it is kept."""
    column = jobs.c.input if sent else jobs.c.output
    return conn.execute(select(column).where(jobs.c.id == job_id, _visible(viewer))).scalar()


def erase(conn: Connection, now: datetime, limit: int) -> int:
    """Remove jobs whose time is over; returns how many."""
    old = select(jobs.c.id).where(jobs.c.erase_at <= now).limit(limit)
    return conn.execute(delete(jobs).where(jobs.c.id.in_(old))).rowcount


def _ours(job: Job) -> tuple[Any, ...]:
    return jobs.c.id == job.id, jobs.c.lease == job.lease, jobs.c.state == JobState.RUNNING


def _visible(viewer: Viewer) -> Any:
    own = jobs.c.book_id.is_(None) & (jobs.c.asked_by == viewer.name)
    return or_(jobs.c.book_id.in_(viewer.books), own)


def _ended(state: JobState, kind: str, now: datetime, **told: Any) -> dict[str, Any]:
    keep = kept(JobKind(kind))
    return {"state": state, "wake_at": None, "ended_at": now, "erase_at": now + keep, **told}


def _job(row: Row[Any]) -> Job:
    return Job(
        id=row.id,
        kind=JobKind(row.kind),
        book_id=row.book_id,
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        options=row.options,
        input=row.input,
        lease=row.lease,
    )
