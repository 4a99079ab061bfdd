"""All parts in one place: the scheduler here, the workers and the sandbox as child processes."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import structlog

from worker.children import KeptProcess, spawn
from worker.core.hosts import leads_here
from worker.errors import UnreachableError
from worker.monitoring.metrics_page import show_metrics
from worker.processes.actors import Hints
from worker.processes.scheduler import run
from worker.sandbox.process import SandboxProcess
from worker.setup.app import App
from worker.setup.broker import open_broker
from worker.setup.build import require_sandbox
from worker.setup.listening import address_of, listen

log = structlog.get_logger(__name__)

VIGENCIA = (sys.executable, "-m", "worker.cli")


def run_all(app: App, queue_url: str, web_url: str, stopping: threading.Event) -> int:
    """Run, beside the web process, until ``stopping`` is set, then let the workers finish; returns
    the exit code."""
    env = _seen(app, queue_url, web_url)
    # Each ends before what it needs: the workers first, then the sandbox, which reports to the web.
    with _sandbox(app, web_url), Workers(app, queue_url, stopping, env):
        show_metrics(app, queue_url)
        log.info("up", database=app.engine.dialect.name, channels=dict(app.gateways.modes))
        run(app, Hints(open_broker(queue_url), app), stopping)
    return 0


def _seen(app: App, queue_url: str, web_url: str) -> dict[str, str]:
    """What our processes see of the environment."""
    env = {**os.environ, "REDIS_URL": queue_url}
    if app.gateways.sandboxed and app.settings.web.public_url is None and leads_here(web_url):
        env["VIGENCIA_WEB__PUBLIC_URL"] = web_url  # what is sent asks for reports to it
    return env


def web_address(app: App) -> str:
    """Where the web process will answer. Raises ``ConfigError`` if somebody else does."""
    own = app.settings
    with listen(own.web.host, own.web.port if own.port is None else own.port) as probe:
        return address_of(probe)


@contextmanager
def _sandbox(app: App, web_url: str) -> Iterator[None]:
    """A sandbox of our own, unless nothing goes there or one answers already."""
    if not app.gateways.sandboxed:
        yield
        return
    try:
        require_sandbox(app)
    except UnreachableError:
        with SandboxProcess(
            port=urlsplit(app.settings.sandbox.url).port or 80,
            clock_file=app.settings.clock_file,
            # It calls this machine only, and the web process may listen elsewhere.
            web_url=web_url if leads_here(web_url) else None,
        ):
            yield
        return
    yield


class _Supervised(KeptProcess):
    """A process of the program; ``env`` is what it sees."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        env: Mapping[str, str],
        patience: float,
        stopping: threading.Event | None = None,
    ) -> None:
        super().__init__(name, patience, stopping)
        self._command, self._env = command, env

    def start(self) -> "subprocess.Popen[bytes]":
        """What it prints is for nobody here; it logs to stderr."""
        return spawn(self._command, env=self._env, stdout=subprocess.DEVNULL)

    def pause(self, lived: float) -> float:
        """What cannot even start is not tried all the time."""
        return 0.5 if lived > 10 else 5.0


class Workers(_Supervised):
    """The worker processes; ``env`` is what they see beside the queue (default: what we see)."""

    def __init__(
        self,
        app: App,
        queue_url: str,
        stopping: threading.Event,
        env: Mapping[str, str] | None = None,
    ) -> None:
        seen = {**(os.environ if env is None else env), "REDIS_URL": queue_url}
        patience = app.settings.worker.shutdown_seconds + 5.0
        super().__init__("workers", [*VIGENCIA, "worker"], seen, patience, stopping)

    def ended(self, exit_code: int) -> None:
        """Nothing is checked or sent until they are back."""
        log.error("alarm", cause="workers_ended", exit_code=exit_code)


class Web(_Supervised):
    """The web process, at ``url``; ``answers`` is called once, when somebody may ask it."""

    def __init__(
        self, app: App, url: str, queue_url: str, answers: Callable[[], None] = lambda: None
    ) -> None:
        place = urlsplit(url)
        command = [*VIGENCIA, "web", "--port", str(place.port)]
        patience = app.settings.web.request_seconds + 5.0
        super().__init__("web", command, _seen(app, queue_url, url), patience)
        self._place = (place.hostname or "127.0.0.1", place.port or 80)
        self._answers: Callable[[], None] | None = answers

    def started(self) -> None:
        """From when it listens on, whoever connects waits for its answer, and is not refused."""
        while self._answers and self.pid is not None and not self._stopping.wait(0.05):
            with suppress(OSError), socket.create_connection(self._place, timeout=1):
                self._answers()
                self._answers = None

    def ended(self, exit_code: int) -> None:
        """Providers repeat what they report until it is back."""
        log.error("alarm", cause="web_ended", exit_code=exit_code)
