"""Starts dramatiq's own process manager with the settings that matter here."""

import os
from collections.abc import Sequence

from worker.children import fork_from_here
from worker.processes.count_files import counted, not_counted

# Queue messages of each queue that a process has in hand, those it works on included. They are
# batches: with more one process would hoard them while another stands idle, with one it would wait
# for the next with nothing to send. (dramatiq's own default is twice the threads.)
_PREFETCH = "2"
# How long an idle worker sleeps at most between two looks at its queue (milliseconds). By default a
# second, which a reminder meets twice: before its check and before its send.
_IDLE = "100"
# After losing the queue server, look for it again this soon (milliseconds).
_RESTART_DELAY = "1000"


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
    with counted() if metrics else not_counted():
        return int(main(parsed) or 0)  # type: ignore[no-untyped-call]
