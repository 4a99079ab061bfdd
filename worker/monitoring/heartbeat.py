"""A sign of life to a dead man's switch: it raises the alarm when the scheduler falls silent."""

import threading
from typing import Final

import structlog
from pydantic import SecretStr

from worker.clock import Throttle
from worker.monitoring.secret_calls import get

log = structlog.get_logger(__name__)

# Seconds: at most one beat in so many.
EVERY: Final = 60.0


class Heartbeat:
    """Calls ``url`` from a thread of its own, so that nothing ever waits for it."""

    def __init__(self, url: SecretStr | None, every: float = EVERY) -> None:
        self._url, self._throttle = url, Throttle(every)
        self._thread: threading.Thread | None = None

    def beat(self) -> None:
        """Give a sign of life, unless the last is younger than ``every`` or still under way."""
        under_way = self._thread is not None and self._thread.is_alive()
        if self._url is None or under_way or not self._throttle.is_due():
            return
        self._thread = threading.Thread(target=self._call, name="heartbeat", daemon=True)
        self._thread.start()

    def _call(self) -> None:
        assert self._url is not None  # noqa: S101 - beat() has looked
        try:
            get(self._url.get_secret_value(), 1024)
        except Exception as error:  # whatever it is, its text may hold the address
            log.warning("heartbeat_failed", reason=type(error).__name__)
