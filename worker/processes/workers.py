"""Starts dramatiq's own process manager with the settings that matter here."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import structlog

from worker.children import fork_from_here

log = structlog.get_logger(__name__)

# Queue messages of each queue that a process has in hand, those it works on included. They are
# batches: with more one process would hoard them while another stands idle, with one it would wait
# for the next with nothing to send. (dramatiq's own default is twice the threads.)
_PREFETCH = "2"
# How long an idle worker sleeps at most between two looks at its queue (milliseconds). By default a
# second, which a reminder meets twice: before its check and before its send.
_IDLE = "100"
# After losing the queue server, look for it again this soon (milliseconds).
_RESTART_DELAY = "1000"
_COUNTS = "PROMETHEUS_MULTIPROC_DIR"
_PREFIX = "vigencia-metrics-"


def tune() -> None:
    """Give dramatiq its settings, which it reads when it is imported; so this comes first.

    What the environment says already stays.
    """
    os.environ.setdefault("dramatiq_queue_prefetch", _PREFETCH)
    os.environ.setdefault("dramatiq_worker_timeout", _IDLE)
    os.environ.setdefault("dramatiq_restart_delay", _RESTART_DELAY)


def serve(
    processes: int,
    threads: int,
    shutdown_seconds: int,
    queues: Sequence[str] = (),
    *,
    metrics: bool = False,
) -> int:
    """Run worker processes until a signal stops them; returns the exit code. ``tune`` came before.

    SIGTERM lets them finish for ``shutdown_seconds``. With ``metrics`` one more process serves
    what all of them count.
    """
    from dramatiq.cli import main, make_argument_parser
    from dramatiq.worker import QUEUE_PREFETCH

    if QUEUE_PREFETCH == 0:
        raise RuntimeError("dramatiq was imported before tune()")
    fork_from_here()

    arguments = [
        "worker.processes.actors:boot",
        *("--processes", str(processes), "--threads", str(threads)),
        *("--worker-shutdown-timeout", str(shutdown_seconds * 1000)),
        "--skip-logging",
    ]
    if queues:
        arguments += ["--queues", *queues]
    if metrics:
        arguments += ["--fork-function", "worker.monitoring.metrics_page:workers"]
    parsed = make_argument_parser().parse_args(arguments)  # type: ignore[no-untyped-call]
    with _counts() if metrics else _no_counts():
        return int(main(parsed) or 0)  # type: ignore[no-untyped-call]


@contextmanager
def _no_counts() -> Iterator[None]:
    os.environ.pop(_COUNTS, None)
    yield


@contextmanager
def _counts() -> Iterator[None]:
    """An empty folder for the files with counts, one for each process, named in the environment
    before prometheus_client is imported; counts of processes that have ended are not carried on."""
    if given := os.environ.get(_COUNTS):
        folder = Path(given)
        folder.mkdir(parents=True, exist_ok=True)
        for file in folder.glob("*.db"):
            file.unlink(missing_ok=True)
        yield
        return
    try:
        _remove_left_behind()
        made = tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-")
    except OSError as error:  # a full disk: what is sent matters more than what is counted
        log.warning("metrics_not_counted", reason=type(error).__name__)
        with _no_counts():
            yield
        return
    with made as name:
        os.environ[_COUNTS] = name
        yield


def _remove_left_behind() -> None:
    """Folders of commands that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        try:
            ours = folder.stat().st_uid == os.getuid()
        except OSError:  # somebody else removed it just now
            continue
        if ours and pid.isascii() and pid.isdigit() and not _runs(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
