"""A job in hand: it says how far it is, and that its worker still lives."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog
from sqlalchemy import Engine

from worker.clock import Clock, Throttle
from worker.core.jobs import LEASE, JobProgress
from worker.errors import VigenciaError
from worker.store import jobs
from worker.store.engine import writing
from worker.store.jobs import Job

log = structlog.get_logger(__name__)

# How often progress is written at most, and how often a job that has none to tell says it lives.
_TELL_SECONDS = 0.5
_ALIVE_SECONDS = LEASE.total_seconds() / 4


class LostError(VigenciaError):
    """Somebody else has the job by now: whatever this worker did is taken back."""

    code = "job_lost"


@dataclass(slots=True)
class Hand:
    """``tell`` writes progress, now and then."""

    engine: Engine
    job: Job
    now: Clock
    _throttle: Throttle = field(default_factory=lambda: Throttle(_TELL_SECONDS))

    def tell(self, progress: JobProgress) -> None:
        """The job has come so far. Raises ``LostError`` if it is not ours any more."""
        if self._throttle.is_due() and not self._write(progress):
            raise LostError("The job was given to another worker.")

    def _write(self, progress: JobProgress | None) -> bool:
        with writing(self.engine) as conn:
            return jobs.go_on(conn, self.job, progress, self.now())

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep the lease while the job works."""
        done = threading.Event()

        def keep() -> None:
            while not done.wait(_ALIVE_SECONDS):
                try:
                    self._write(None)
                except VigenciaError as error:  # the next look may find the database again
                    log.warning("job_lease_not_kept", job=self.job.id, reason=error.message)

        keeper = threading.Thread(target=keep, name="job-lease", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            done.set()
            keeper.join()
