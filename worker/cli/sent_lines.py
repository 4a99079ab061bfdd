"""One line for each message that was sent, read from the database while everything runs."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import click
import structlog

from worker.cli.outlook import outlook
from worker.cli.times import place
from worker.core.cards import told_by
from worker.core.masking import masked_address
from worker.errors import VigenciaError
from worker.setup.app import App
from worker.store.engine import reading
from worker.store.sent import Sent, sent_since

log = structlog.get_logger(__name__)

# Seconds between two looks, and how many lines one look may print: a book of 100,000 cards has
# mornings on which nobody could read them all.
_EVERY = 1.0
_MOST = 50
# An answer is recorded after the instant it bears; so long a look goes back for those.
_BACK = timedelta(seconds=30)


class SentLines:
    """Prints what was sent from now on, from a thread of its own; ``with`` starts and ends it.

    Once, when all that was due has been sent, it tells what is still to come.
    """

    def __init__(self, app: App, echo: Callable[[str], None] = click.echo) -> None:
        self._app, self._echo = app, echo
        self._begin = self._from = app.now()
        self._told: dict[int, datetime] = {}
        self._zone, self._outlook_told = app.settings.book.time_zone, False
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sent-lines", daemon=True)

    def __enter__(self) -> "SentLines":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._ending.wait(_EVERY):
            self.look()
        self.look()  # what the workers finished last

    def look(self) -> None:
        """Print what was sent since the last look. Without the database nothing is, and the next
        look tells of it."""
        now = self._app.now()
        try:
            with reading(self._app.engine) as conn:
                found = sent_since(conn, self._from, limit=1000)
                ahead = None if self._outlook_told else outlook(conn, now, self._zone)
        except VigenciaError as error:
            log.debug("sent_lines_wait", reason=error.message)
            return
        new = [one for one in found if one.message not in self._told]
        for one in new[:_MOST]:
            self._echo(line_of(one, sandboxed=self._app.gateways.sandboxed))
        if len(new) > _MOST:
            self._echo(f"… and {len(new) - _MOST} more: vigencia messages list --state sent")
        if ahead is not None:
            self._echo(ahead)
            self._outlook_told = True
        self._told |= {one.message: one.at for one in new}
        last = found[-1].at if len(found) == 1000 else now
        self._from = max(self._begin, last - _BACK)
        self._told = {message: at for message, at in self._told.items() if at >= self._from}


def line_of(sent: Sent, *, sandboxed: bool) -> str:
    """Such as "10:00 Lima  sms to +51***321: plan end 7 days before, card …0100 (sandbox)"."""
    what = f"{told_by(sent.channel, sent.audience)} to {masked_address(sent.address)}"
    cards = ", ".join(f"…{tail}" for tail in sent.tails)
    more = f" and {sent.more} more" if sent.more else ""
    at = f"{sent.at.astimezone(sent.zone):%H:%M} {place(sent.zone.key)}"
    told = f"{at}  {what}: {sent.what}, card{'s' if len(sent.tails) > 1 else ''} {cards}{more}"
    return f"{told} (sandbox)" if sandboxed else told
