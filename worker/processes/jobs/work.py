"""Takes a job, has its kind worked, and writes how it ended."""

from collections.abc import Callable, Mapping
from typing import Final

import structlog

from worker.core.jobs import JobKind
from worker.errors import VigenciaError
from worker.processes.jobs import forecasting, importing
from worker.processes.jobs.hand import Hand, LostError
from worker.setup.app import App
from worker.store import jobs
from worker.store.engine import writing

log = structlog.get_logger(__name__)

_WORK: Final[Mapping[JobKind, Callable[[App, Hand], None]]] = {
    JobKind.PREVIEW: importing.work,
    JobKind.IMPORT: importing.work,
    JobKind.FORECAST: forecasting.work,
}
_BUG = VigenciaError("This met an error of the program.", "The log of the worker has more of it.")


def work(app: App, job_id: int) -> bool:
    """Work the job, unless somebody else has it; whether it was ours and is done.

    Each kind writes its result in the transaction of its effect. What it cannot do is told in the
    job, never raised: only a database that is away is left to the next worker.
    """
    with writing(app.engine) as conn:
        job = jobs.take(conn, job_id, app.now())
    if job is None:
        return False
    hand = Hand(app.engine, job, app.now)
    log.info("job_begun", job=job.id, kind=job.kind)
    try:
        with hand.kept():
            _WORK[job.kind](app, hand)
    except LostError:
        log.warning("job_lost", job=job.id)
        return False
    except VigenciaError as error:
        if error.code == "unreachable":
            raise
        _fail(app, hand, error)
        return False
    except Exception:
        log.exception("job_failed", job=job.id)
        _fail(app, hand, _BUG)
        return False
    log.info("job_done", job=job.id, kind=job.kind)
    return True


def _fail(app: App, hand: Hand, error: VigenciaError) -> None:
    log.warning("job_refused", job=hand.job.id, code=error.code)
    with writing(app.engine) as conn:
        jobs.fail(conn, hand.job, error, app.now())
