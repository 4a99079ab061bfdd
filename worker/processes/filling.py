"""The scheduler's share in what pages find cards by: whatever was there before is entered."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import structlog

from worker.clock import Throttle
from worker.errors import VigenciaError
from worker.setup.app import App
from worker.store import fills
from worker.store.engine import reading, writing

log = structlog.get_logger(__name__)

# Cards in one transaction: some tenths of a second, whatever waits for the same cards.
BATCH: Final = 500
# Seconds between two looks while there is nothing to do.
_EVERY: Final = 60.0


class Filling:
    """Enters the cards that are not entered yet, one batch whenever there is time for it."""

    def __init__(self, app: App, every: float = _EVERY) -> None:
        self._app, self._throttle = app, Throttle(every)
        self._pass: Iterator[int] | None = None

    @property
    def under_way(self) -> bool:
        """Is there more to do?"""
        return self._pass is not None

    def go_on(self, now: datetime) -> None:
        """Do one batch, if there is one. Raises ``UnreachableError``."""
        try:
            if self._pass is None and self._throttle.is_due():
                self._pass = self.batches()
            if self._pass is not None and next(self._pass, None) is None:
                self._pass = None
        except VigenciaError:
            self._pass = None
            raise
        except Exception:  # a bug in here must not stop the clock
            self._pass = None
            log.exception("alarm", cause="filling_failed")

    def batches(self) -> Iterator[int]:
        """Each item is one short transaction, which is committed when it comes."""
        with reading(self._app.engine) as conn:
            if fills.is_done(conn, self._app.rules):
                return
        with writing(self._app.engine) as conn:
            fills.begin(conn, self._app.rules)
        more = True
        while more:
            with writing(self._app.engine) as conn:
                more = fills.go_on(conn, self._app.rules, BATCH)
            yield BATCH
