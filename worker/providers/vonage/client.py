"""SMS through Vonage: its SMS API, and its Reports API for what it took."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import structlog

from worker.core.outcomes import Outcome, from_fault
from worker.core.segments import measure
from worker.providers.base import Sighting, SmsOut
from worker.providers.transport import Reply, Transport, TransportError
from worker.providers.vonage.answers import from_answer
from worker.providers.vonage.outcomes import from_http
from worker.providers.vonage.records import Record, page, sightings
from worker.providers.vonage.reports import reference
from worker.providers.vonage.settings import VonageSettings

log = structlog.get_logger(__name__)

_FORM: Final = "application/x-www-form-urlencoded"
# How long Vonage may try to deliver a message, in milliseconds (``ttl``).
_SHORTEST_TTL, _LONGEST_TTL = 20_000, 604_800_000
# Records are asked for by spans of at most a day; so far back we ask, and so many pages we read.
_SPAN, _FURTHEST, _MOST_PAGES = timedelta(hours=24), timedelta(days=14), 20
# The first answer tells what time it is there.
_TRIES, _SAME_CLOCK = 3, timedelta(seconds=5)
# The parts of a text are taken in one call.
_ONE_CALL: Final = timedelta(minutes=1)


class VonageProvider:
    """One account, one sender."""

    name = "vonage"

    def __init__(
        self, settings: VonageSettings, transport: Transport, now: Callable[[], datetime]
    ) -> None:
        """``now``: our clock, by which what the records show is told, however far from that
        Vonage's is."""
        self._settings = settings
        self._transport = transport
        self._now = now
        # How far Vonage's clock is ahead of ours, by its last answer.
        self.ahead = timedelta(0)

    @property
    def sender(self) -> str:
        """See ``Provider``."""
        return self._settings.sender

    async def send(self, out: SmsOut) -> Outcome:
        """Submit a message, in as many parts as it needs."""
        form = urlencode(self._fields(out)).encode()
        url = f"{self._settings.address}/sms/json"
        try:
            reply = await self._call("POST", url, data=form)
        except TransportError as error:
            return from_fault(error.fault)
        if not 200 <= reply.status < 300:
            return from_http(reply.status, reply.retry_after)
        return from_answer(reply.body)

    def _fields(self, out: SmsOut) -> dict[str, str]:
        size = measure(out.text)
        milliseconds = int(out.valid_for.total_seconds() * 1000)
        fields = {
            "from": self._settings.sender.removeprefix("+"),
            "to": out.to.removeprefix("+"),
            "text": out.text,
            "type": "text" if size.encoding == "GSM-7" else "unicode",
            "ttl": str(max(_SHORTEST_TTL, min(milliseconds, _LONGEST_TTL))),
            "client-ref": reference(out.attempt, size.segments),
        }
        if self._settings.callback:
            fields |= {"status-report-req": "true", "callback": self._settings.callback}
        return fields

    async def find(self, to: str, since: datetime) -> list[Sighting] | None:
        """What it took for ``to``, by its records. Each of them is paid for."""
        if self._now() - since > _FURTHEST:
            return None
        try:
            for _ in range(_TRIES):
                ahead = self.ahead
                found = await self._since(to, since + ahead)
                # A span that was reckoned with another clock may have left out the newest.
                if abs(self.ahead - ahead) < _SAME_CLOCK:
                    return sightings(found, ahead)
        except (TransportError, ValueError):
            pass
        return None

    async def _since(self, to: str, start: datetime) -> list[Record]:
        end = max(self._now() + self.ahead, start + _ONE_CALL)
        found: list[Record] = []
        while start < end:
            found += await self._records(to, start, min(start + _SPAN, end))
            start += _SPAN
        return found

    async def fetch(self, provider_id: str) -> Sighting | None:
        """The message with this id, together with the other parts of its text."""
        try:
            found = await self._pages({"id": provider_id})
            own = next((one for one in found if one.message_id == provider_id), None)
            if own is None:
                return None
            if own.parts > 1:
                around = (own.received - _ONE_CALL, own.received + _ONE_CALL)
                others = await self._records(own.to, *around)
                found = [own, *(one for one in others if one.attempt == own.attempt)]
            else:
                found = [own]
        except (TransportError, ValueError):
            return None
        [sighting] = sightings(found, self.ahead)
        return replace(sighting, provider_id=provider_id)

    async def _records(self, to: str, start: datetime, end: datetime) -> list[Record]:
        """The records of messages to ``to`` that came in between two instants of Vonage's."""
        number = to.removeprefix("+")
        span = {"to": number, "date_start": _instant(start), "date_end": _instant(end)}
        return [one for one in await self._pages(span) if one.to == number]

    async def _pages(self, query: Mapping[str, str]) -> list[Record]:
        """Raises ``TransportError``, and ``ValueError`` for what is no complete answer."""
        url = f"{self._settings.reports_address}/v2/reports/records"
        asked = {
            "account_id": self._settings.api_key,
            "product": "SMS",
            "direction": "outbound",
            "include_message": "true",
            "show_concatenated": "true",
            **query,
        }
        found: list[Record] = []
        for _ in range(_MOST_PAGES):
            reply = await self._call("GET", url, params=asked)
            if reply.status != 200:
                if reply.status in (401, 402, 403):
                    log.warning("vonage_records_refused", status=reply.status)
                raise ValueError(f"HTTP {reply.status}")
            read = page(reply.body)
            found += read.records
            if not read.following:
                return found
            asked |= read.following
        raise ValueError("more pages than are read")

    async def _call(self, method: str, url: str, **body: Any) -> Reply:
        headers = {"Authorization": self._settings.authorization, "Accept": "application/json"}
        if "data" in body:
            headers["Content-Type"] = _FORM
        reply = await self._transport.request(method, url, headers, **body)
        if reply.date is not None:
            self.ahead = reply.date - self._now()
        return reply


def _instant(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
