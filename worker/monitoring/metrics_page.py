"""The page that Prometheus reads: of one process, or of all the worker processes of a command."""

import sys
import threading
import time
from hmac import compare_digest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from pydantic import SecretStr

from worker import metrics
from worker.children import end_with_master, orphaned
from worker.monitoring.gauges import Ledger
from worker.providers.registry import STATUSES
from worker.setup.app import App
from worker.setup.settings import Settings, load

log = structlog.get_logger(__name__)

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
# Seconds a reader may take to ask.
_PATIENCE: Final = 5.0


class Page:
    """The counts of this process, and the gauges of the ledger and the queue."""

    def __init__(self, app: App, queue_url: str | None) -> None:
        metrics.enable(STATUSES)
        self._ledger = CollectorRegistry()
        self._ledger.register(Ledger(app, queue_url))

    def __call__(self) -> bytes:
        """The page as it is now."""
        return generate_latest(REGISTRY) + generate_latest(self._ledger)


def allowed(authorization: str | None, token: SecretStr | None) -> bool:
    """Does the header carry the token, where one is set?"""
    if token is None:
        return True
    wanted = f"Bearer {token.get_secret_value()}".encode()
    return compare_digest((authorization or "").encode("utf-8", "replace"), wanted)


def serve(page: Any, settings: Settings, port: int) -> ThreadingHTTPServer | None:
    """Serve ``page`` at /metrics from a thread; without the port the process works on, unseen."""

    class Handler(BaseHTTPRequestHandler):
        timeout = _PATIENCE
        server_version, sys_version = "vigencia", ""

        def do_GET(self) -> None:
            if self.path.partition("?")[0] != "/metrics":
                self._answer(404, b"The page is /metrics.\n")
            elif not allowed(self.headers.get("Authorization"), settings.metrics_token):
                self._answer(403, b"Send the token: Authorization: Bearer ...\n")
            else:
                self._answer(200, page())

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", CONTENT_TYPE if status == 200 else "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
            """A line for each look would only be noise."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A reader that went away is nobody's concern."""

    if not port:
        return None
    try:
        server = Server((settings.metrics.host, port), Handler)
    except (OSError, OverflowError) as error:
        log.warning("metrics_not_served", port=port, reason=type(error).__name__)
        return None
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


def show_metrics(app: App, queue_url: str | None) -> None:
    """Serve the page of a scheduler, for as long as its process lives."""
    port = app.settings.metrics.scheduler_port
    if port:
        serve(Page(app, queue_url), app.settings, port)


def workers() -> int:
    """Serve the counts of all worker processes of this command, for as long as it lives."""
    from worker.setup.log import configure

    end_with_master(0)
    settings = load()
    configure(settings.log_level, settings.log_format, sys.__stderr__)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    serve(lambda: generate_latest(registry), settings, settings.metrics.worker_port)
    while not orphaned():  # a killed parent tells nobody
        time.sleep(1)
    return 0
