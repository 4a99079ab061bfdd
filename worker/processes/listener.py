"""The scheduler's look at what came in, beside the clock loop: a provider that hangs keeps no tick
waiting."""

import asyncio
import threading
from datetime import datetime
from typing import Final

import structlog

from worker.clock import Throttle
from worker.errors import VigenciaError
from worker.providers.choice import hearing
from worker.providers.transport import Transport
from worker.setup.app import App

log = structlog.get_logger(__name__)

# Seconds between two questions whether it is time, and after how many failures in a row it is told.
_EVERY: Final = 30.0
_FAILURES: Final = 4


class Listener:
    """Reads the provider's list of messages to us now and then; of several schedulers whoever
    comes first does."""

    def __init__(self, app: App, every: float = _EVERY) -> None:
        self._app, self._throttle = app, Throttle(every)
        self._failures = 0
        self._thread: threading.Thread | None = None

    def look(self, now: datetime) -> None:
        """Begin a look, unless the last one was a moment ago or is under way."""
        under_way = self._thread is not None and self._thread.is_alive()
        if under_way or self._app.listening({}) is None or not self._throttle.is_due():
            return
        self._thread = threading.Thread(
            target=self._look, args=(now,), name="listener", daemon=True
        )
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait for the look that is under way; whether it has ended."""
        if self._thread is not None:
            self._thread.join(seconds)
        return self._thread is None or not self._thread.is_alive()

    def _look(self, now: datetime) -> None:
        try:
            heard = asyncio.run(self._run(now))
        except VigenciaError as error:
            heard = False
            log.warning("inbound_not_read", reason=error.message)
        except Exception:  # a bug here must not end the thread without a word
            heard = False
            log.exception("inbound_not_read")
        self._failures = 0 if heard else self._failures + 1
        if self._failures == _FAILURES:
            log.error("alarm", cause="inbound_not_read", failures=self._failures)

    async def _run(self, now: datetime) -> bool:
        """Whether it was not time, or could be read."""
        own = self._app.settings.delivery
        transport = Transport(own.connect_timeout, own.read_timeout, 1)
        try:
            opened = self._app.gateways.open(transport, self._app.now)
            listening = self._app.listening(hearing(opened))
            if listening is None or not await asyncio.to_thread(listening.is_time, now):
                return True
            counts = await listening.run(now)
            if counts:
                log.info("inbound_read", **counts)
            return counts is not None
        finally:
            await transport.close()
