"""Starts dramatiq's own process manager with the settings that matter here."""

import os
from collections.abc import Sequence

# Queue messages a process takes ahead: they are batches, so more would let one process hoard.
_PREFETCH = "4"
# After losing the queue server, look for it again this soon (milliseconds).
_RESTART_DELAY = "1000"


def serve(processes: int, threads: int, shutdown_seconds: int, queues: Sequence[str] = ()) -> int:
    """Run worker processes until a signal stops them; returns the exit code.

    SIGTERM lets them finish for ``shutdown_seconds``.
    """
    os.environ.setdefault("dramatiq_queue_prefetch", _PREFETCH)
    os.environ.setdefault("dramatiq_restart_delay", _RESTART_DELAY)
    from dramatiq.cli import main, make_argument_parser

    arguments = [
        "worker.actors:boot",
        *("--processes", str(processes), "--threads", str(threads)),
        *("--worker-shutdown-timeout", str(shutdown_seconds * 1000)),
        "--skip-logging",
    ]
    if queues:
        arguments += ["--queues", *queues]
    parsed = make_argument_parser().parse_args(arguments)  # type: ignore[no-untyped-call]
    return int(main(parsed) or 0)  # type: ignore[no-untyped-call]
