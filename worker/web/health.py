"""What machines ask of the web process: is it there, can it work, what has it counted."""

import time
from collections.abc import Callable
from ipaddress import ip_address
from threading import Lock
from typing import Final

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from worker.errors import VigenciaError
from worker.monitoring.metrics_page import CONTENT_TYPE, Page, allowed
from worker.setup.app import App
from worker.setup.broker import require_queue
from worker.store.engine import reading
from worker.store.migrate import head, revision

# However many ask, database and queue are looked at once in so many seconds.
_FRESH: Final = 1.0
# What a server in front of us adds: then the caller is not who stands at our door.
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip")


def routes(app: App) -> list[Route]:
    """``/healthz``, ``/readyz`` and ``/metrics``."""
    url = app.settings.redis_url
    page = Page(app, url.get_secret_value() if url else None)
    readiness = Readiness(app)

    def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok")

    def readyz(_request: Request) -> Response:
        missing = readiness()
        document = {"ready": not missing, "missing": missing}
        return JSONResponse(document, 503 if missing else 200)

    def metrics(request: Request) -> Response:
        if not may_read(request, app.settings.metrics_token):
            return PlainTextResponse("Not for you.", 403)
        return Response(page(), media_type=CONTENT_TYPE)

    return [
        Route("/healthz", healthz, methods=["GET"]),
        Route("/readyz", readyz, methods=["GET"]),
        Route("/metrics", metrics, methods=["GET"]),
    ]


def may_read(request: Request, token: SecretStr | None) -> bool:
    """With a token only who sends it; without one only this machine, and not through a server that
    stands in front of us."""
    if token is not None:
        return allowed(request.headers.get("authorization"), token)
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False


class Readiness:
    """What is missing to work, by part; nothing if all is there. Tells no address and no error
    text, since anybody may ask."""

    def __init__(self, app: App) -> None:
        self._parts: dict[str, Callable[[], str | None]] = {"database": lambda: _database(app)}
        if app.settings.redis_url is not None:
            self._parts["queue"] = lambda: _queue(app)
        self._lock = Lock()
        self._missing: dict[str, str] = {}
        self._looked_at = float("-inf")

    def __call__(self) -> dict[str, str]:
        """Look, or remember the look of a moment ago."""
        with self._lock:
            if time.monotonic() - self._looked_at >= _FRESH:
                found = ((name, look()) for name, look in self._parts.items())
                self._missing = {name: problem for name, problem in found if problem}
                self._looked_at = time.monotonic()
            return self._missing


def _database(app: App) -> str | None:
    try:
        with reading(app.engine) as conn:
            current = revision(conn) == head()
    except VigenciaError:
        return "it does not answer"
    return None if current else "its tables are not this version's: vigencia db upgrade"


def _queue(app: App) -> str | None:
    try:
        require_queue(app.settings.redis_url)
    except VigenciaError:
        return "it does not answer"
    return None
