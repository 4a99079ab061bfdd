"""What the operator is written when alarms were raised: one email an hour at most."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Final
from uuid import uuid4

import structlog

from worker.core.cards import Channel
from worker.core.masking import tail
from worker.core.outcomes import Outcome, OutcomeKind
from worker.errors import VigenciaError
from worker.providers.base import EmailOut
from worker.providers.transport import Transport
from worker.setup.app import App
from worker.store import alarm_counts, digests
from worker.store import inbound as inbound_store
from worker.store.alarm_counts import Standing
from worker.store.engine import reading, writing

log = structlog.get_logger(__name__)

_KIND: Final = "alarm"
_SHOWN: Final = 20
# Ends after which the email has certainly not gone out, and may be tried again.
_AGAIN: Final = (OutcomeKind.NOT_SENT, OutcomeKind.TRANSIENT)

Look = Callable[[datetime, datetime], Standing]


class Digest:
    """Writes to ``alarms.email``; of several schedulers one does, by a row in ``digests``."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._every = timedelta(minutes=app.settings.alarms.every_minutes)
        self._wanted: datetime | None = None
        self._complained = False

    @property
    def wanted(self) -> bool:
        """Is there something to write that nobody has written yet?"""
        return self._wanted is not None

    def want(self, now: datetime) -> None:
        """Something new was found at ``now``."""
        if self._app.settings.alarms.email and self._wanted is None:
            self._wanted = now

    def send(self, now: datetime, look: Look) -> None:
        """Write, if it is our turn; what cannot be written is told in the log."""
        try:
            self._send(now, look)
        except VigenciaError as error:
            log.error("alarm", cause="alarm_not_sent", reason=error.message)
        except Exception:  # a bug here must not end the thread without a word
            log.exception("alarm", cause="alarm_not_sent", reason="bug")

    def _send(self, now: datetime, look: Look) -> None:
        bucket = _floor(now, self._every)
        since = bucket - self._every
        standing = look(now, since)
        if standing == Standing():  # it has mended itself before anybody was told
            self._wanted = None
            return
        with writing(self._app.engine) as conn:
            ours = digests.claim(conn, _KIND, bucket)
        if not ours:
            # Another told of this hour; what was found before it began is told as well.
            if self._wanted is not None and self._wanted < bucket:
                self._wanted = None
            return
        outcome = asyncio.run(self._call(self._text(standing, since, now)))
        if outcome.kind in _AGAIN:  # at the next look, until it goes out
            with writing(self._app.engine) as conn:
                digests.release(conn, _KIND, bucket)
        else:
            self._wanted = None
        if outcome.kind is not OutcomeKind.ACCEPTED and not self._complained:
            log.error("alarm", cause="alarm_not_sent", reason=outcome.code)
        self._complained = outcome.kind in _AGAIN

    async def _call(self, text: str) -> Outcome:
        own = self._app.settings
        transport = Transport(own.delivery.connect_timeout, own.delivery.read_timeout, 1)
        try:
            provider = self._app.gateways.open(transport, self._app.now).get(Channel.EMAIL)
            if provider is None:
                return Outcome(OutcomeKind.CONFIG_FAULT, "channel_off")
            subject = "Vigencia: reminders need somebody"
            html = f"<html><body><pre>{escape(text)}</pre></body></html>"
            out = EmailOut(uuid4(), own.alarms.email or "", "Vigencia", subject, text, html)
            return await provider.send(out)
        finally:
            await transport.close()

    def _text(self, standing: Standing, since: datetime, now: datetime) -> str:
        with reading(self._app.engine) as conn:
            missed = alarm_counts.missed_since(conn, since, _SHOWN)
            unclear = inbound_store.unclear_since(conn, since, _SHOWN)
        lines = [f"As of {now.astimezone(UTC):%Y-%m-%d %H:%M} UTC:", "", *_sums(standing, since)]
        if missed:
            lines += ["", "Missed, by card book and cause:"]
            lines += [f"  {row.book}: {row.reason or 'no reason'}: {row.count}" for row in missed]
        if unclear:
            lines += ["", "Holders wrote, and a person has to read whether they want no more SMS:"]
            lines += [f"  {tail(row.address)}: {row.text}" for row in unclear]
            lines += ["  If so: vigencia suppressions add --channel sms …"]
        told = f"{since.astimezone(UTC):%Y-%m-%dT%H:%M}Z"
        lines += [
            "",
            f"Every one of them: vigencia promise --from {told}",
            "What each cause means and what to do: docs/promise.md, docs/deployment.md.",
            f"At most one such message is sent in {self._every // timedelta(minutes=1)} minutes.",
        ]
        return "\n".join(lines) + "\n"


def _sums(standing: Standing, since: datetime) -> Iterator[str]:
    span = f"since {since.astimezone(UTC):%H:%M} UTC"
    told = {
        f"missed {span}": standing.missed,
        "late (waiting past their tolerance)": standing.late,
        "held (a provider refuses our account, key or sender)": standing.held,
        "unknown (nobody can tell yet whether they were sent)": standing.unknown,
        "cards that nobody has checked": standing.checks_overdue,
        f"addresses that a provider calls dead {span} (vigencia suppressions list)": standing.dead,
        f"messages of holders to read {span}": standing.unclear,
    }
    return (f"  {count:>6} {what}" for what, count in told.items() if count)


def _floor(at: datetime, span: timedelta) -> datetime:
    """The beginning of the ``span`` that ``at`` lies in."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + ((at - epoch) // span) * span
