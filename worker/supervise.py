"""All parts in one place: the scheduler here, the workers and the sandbox as child processes."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import structlog

from worker.actors import Hints
from worker.app import App, require_sandbox
from worker.broker import open_broker
from worker.children import spawn, stop
from worker.errors import UnreachableError
from worker.sandbox.process import SandboxProcess
from worker.scheduler import run

log = structlog.get_logger(__name__)

VIGENCIA = (sys.executable, "-m", "worker.cli")


def run_all(app: App, queue_url: str, stopping: threading.Event) -> int:
    """Run until ``stopping`` is set, then let the workers finish; returns the exit code."""
    with _sandbox(app), Workers(app, queue_url, stopping):
        log.info("up", database=app.engine.dialect.name, channels=dict(app.gateways.modes))
        run(app, Hints(open_broker(queue_url), app), stopping)
    return 0


@contextmanager
def _sandbox(app: App) -> Iterator[None]:
    """A sandbox of our own, unless nothing goes there or one answers already."""
    if not app.gateways.sandboxed:
        yield
        return
    try:
        require_sandbox(app)
    except UnreachableError:
        with SandboxProcess(port=urlsplit(app.settings.sandbox.url).port or 80):
            yield
        return
    yield


class Workers:
    """The worker processes, started again whenever they end before they should."""

    def __init__(self, app: App, queue_url: str, stopping: threading.Event) -> None:
        self._env = {**os.environ, "REDIS_URL": queue_url}
        self._patience = app.settings.worker.shutdown_seconds + 5.0
        self._stopping = stopping
        self._child: subprocess.Popen[bytes] | None = None
        # The thread that starts them must live as long as they do: they end with it.
        self._keeper = threading.Thread(target=self._keep, name="workers")

    def __enter__(self) -> "Workers":
        self._keeper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._keeper.join()

    def _keep(self) -> None:
        while not self._stopping.is_set():
            born = time.monotonic()
            self._child = spawn([*VIGENCIA, "worker"], env=self._env)
            while self._child.poll() is None and not self._stopping.wait(0.1):
                pass
            if self._stopping.is_set():
                break
            log.error("alarm", cause="workers_ended", exit_code=self._child.returncode)
            self._stopping.wait(0.5 if time.monotonic() - born > 10 else 5.0)
        if self._child is not None:
            stop(self._child, self._patience)
