"""A job in a process of its own: a large card book takes gigabytes and minutes of processor, which
must neither stay with the worker nor keep its messages waiting."""

import os
import subprocess
import sys

import structlog

from worker.children import spawn, stop

log = structlog.get_logger(__name__)

# Longer than the largest forecast; what takes more hangs.
LONGEST_SECONDS = 3_600
_PATIENCE = 5.0


def work_apart(job_id: int) -> None:
    """Have the job worked by `vigencia jobs work`, and wait for its end. Whatever becomes of the
    process, the job is found again once its lease is over."""
    command = (sys.executable, "-m", "worker.cli", "jobs", "work", str(job_id))
    child = spawn(command, env=os.environ, stdout=subprocess.DEVNULL, stderr=sys.__stderr__)
    try:
        code = child.wait(LONGEST_SECONDS)
    except subprocess.TimeoutExpired:
        log.error("alarm", cause="job_too_long", job=job_id, seconds=LONGEST_SECONDS)
        code = None
    finally:
        stop(child, _PATIENCE)
    if code not in (0, None):
        log.error("job_process_ended", job=job_id, exit_code=code)
