"""Jobs as the pages ask for them and look at them: a form asks, a worker works, a page looks on."""

from collections.abc import Mapping
from typing import Any, Final

import structlog
from dramatiq.errors import DramatiqError
from redis import RedisError
from sqlalchemy import Connection, Row
from starlette.exceptions import HTTPException
from starlette.responses import Response

from worker.core.jobs import JobKind, JobProgress, JobState
from worker.setup.app import App
from worker.setup.broker import hint_job, open_broker
from worker.store import audit, jobs
from worker.store.engine import writing
from worker.web.console.shell import Shell
from worker.web.console.visit import Visit

log = structlog.get_logger(__name__)

_OPEN: Final = (JobState.QUEUED, JobState.RUNNING)


def ask(
    app: App,
    visit: Visit,
    kind: JobKind,
    book_id: int | None,
    options: Mapping[str, Any],
    input_: bytes | None = None,
) -> int | None:
    """Ask for a job, once for each form, and have a worker told of it; returns its id, or ``None``
    where the form was sent before. Raises ``VigenciaError`` while the book has enough of them."""
    with writing(app.engine) as conn:
        job = jobs.ask(
            *(conn, kind),
            book_id=book_id,
            by=visit.own.user.name,
            options=options,
            now=visit.now,
            input_=input_,
        )
        noted: dict[str, Any] = {"subject": "job", "subject_id": job, "book_id": book_id}
        if not audit.write(conn, visit.doer(), f"asked_{kind}", visit.now, **noted):
            conn.rollback()
            return None
    _hint(app, job)
    return job


def _hint(app: App, job: int) -> None:
    """Tell a worker. Where the queue is away the scheduler's next look finds the job."""
    if app.settings.redis_url is None:
        return
    broker = open_broker(app.settings.redis_url.get_secret_value())
    try:
        hint_job(broker, job)
    except (RedisError, DramatiqError) as error:
        log.warning("job_not_hinted", job=job, error=type(error).__name__)
    finally:
        broker.close()


def seen(conn: Connection, visit: Visit, *kinds: JobKind) -> Row[Any]:
    """The job in the path, of these kinds; 404 where it is not for the eyes of who asks."""
    found = jobs.show(conn, visit.viewer, visit.ids["job_id"])
    if found is None or found.kind not in kinds:
        raise HTTPException(404)
    return found


def under_way(shell: Shell, visit: Visit, job: Row[Any], heading: str) -> Response | None:
    """The page of a job that has not ended, or the part of it that is asked for again and again;
    ``None`` where it has ended, and there is more to show."""
    ended = job.state not in _OPEN
    if visit.part:
        if ended:
            return Response(status_code=204, headers={"HX-Refresh": "true"})
        return shell.page(visit, "job_progress", **_progress(job))
    if ended:
        return None
    return shell.page(visit, "job", heading=heading, **_progress(job))


def _progress(job: Row[Any]) -> dict[str, Any]:
    progress = JobProgress(job.done, job.total, job.step)
    return {"job": job, "percent": progress.percent, "begun": job.state == JobState.RUNNING}
