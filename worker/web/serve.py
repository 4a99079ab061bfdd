"""Serving the web application: one process, until a signal."""

import asyncio
import signal
import socket
from types import FrameType
from typing import Any, Final

import structlog
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from worker.setup.app import App
from worker.setup.gateways import Mode
from worker.setup.listening import address_of
from worker.web.application import application

log = structlog.get_logger(__name__)

# Seconds for which a connection without a request is kept.
_KEEP_ALIVE_SECONDS: Final = 5


def serve(app: App, sock: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in hand. From the main thread only."""
    # uvicorn raises the signal once more at its end; it has done its work by then.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _done)
    server(app, sock).run(sockets=[sock])


def server(app: App, sock: socket.socket) -> uvicorn.Server:
    """The server that is to ``run`` on ``sock``. Raises ``ConfigError``."""
    own = app.settings.web
    public_url = own.public_url
    if public_url is None and Mode.LIVE not in app.gateways.modes.values():
        public_url = address_of(sock)
    if public_url is None:
        log.warning("web_without_public_url", hint="providers' webhooks may be refused without it")
    log.info("web", address=address_of(sock), public_url=public_url)
    config = uvicorn.Config(
        application(app, public_url),
        http=_patient(own.request_seconds),
        ws="none",
        log_config=None,
        log_level="error",  # it warns of every request that is none, and of every one too many
        access_log=False,  # it would hold the tokens of links
        proxy_headers=False,
        server_header=False,
        limit_concurrency=own.concurrency,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(own.request_seconds) + 1,
    )
    return uvicorn.Server(config)


def _done(_number: int, _frame: FrameType | None) -> None:
    pass


class _Patient(H11Protocol):
    """Closes a connection whose request does not come: uvicorn itself would wait for ever, and
    every connection counts against the limit."""

    seconds = 10.0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def _watch(self) -> None:
        """Keep one timer while no request is in hand, from the last answer on."""
        cycle: Any = self.cycle
        if cycle is not None and not cycle.response_complete:
            self._unwatch()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.seconds, self.transport.close)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _patient(header_seconds: float) -> type[asyncio.Protocol]:
    class Patient(_Patient):
        seconds = header_seconds

    return Patient
