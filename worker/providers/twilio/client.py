"""SMS through Twilio: its official SDK builds and reads, our transport calls."""

import json
import logging
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from twilio.base.exceptions import TwilioException
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from worker.core.outcomes import Fault, Outcome, accepted, from_fault
from worker.providers.base import Sighting, SmsOut, Written
from worker.providers.transport import Reply, Transport, TransportError
from worker.providers.twilio.outcomes import from_twilio
from worker.providers.twilio.settings import TwilioSettings

_quiet = logging.getLogger("vigencia.twilio")
# What the SDK logs at INFO has phone numbers in it.
_TELLS_NUMBERS = ("twilio", "twilio.http_client", _quiet.name)
# Twilio queues a message for at most 10 hours (ValidityPeriod, in seconds).
_LONGEST_VALIDITY = 36_000
# Twilio's codes have up to six digits.
_CODES_END = 1_000_000
# Messages read of the list at one look for what came in, and on one page.
_MOST_READ, _PAGE = 5_000, 200
# What a trial account puts before every text (www.twilio.com/docs/usage/monitor-your-usage), and
# what stands for a text with Message Redaction (www.twilio.com/blog/sms-pii-redaction).
_TRIAL, _REDACTED = "Sent from your Twilio trial account - ", "__REDACTED__"
# What the SDK raises for a 2xx that is no JSON, or JSON of another shape.
_NOT_AS_PROMISED = (TwilioException, ValueError, KeyError, TypeError, AttributeError)


class _Http(AsyncHttpClient):  # type: ignore[misc]
    """Lets Twilio's SDK call over our transport, and keeps the answer the SDK would drop."""

    def __init__(self, transport: Transport, now: Callable[[], datetime] | None) -> None:
        super().__init__(_quiet, True)
        self._transport, self._now = transport, now
        # How far Twilio's clock is ahead of ours, by its last answer.
        self.ahead = timedelta(0)

    async def request(
        self,
        method: str,
        url: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the SDK's signature; ours is the transport's
        allow_redirects: bool = False,
    ) -> Response:
        """Make the call; raises ``TransportError``, and ``_Refused`` for anything but a 2xx."""
        sent = dict(headers or {})
        if auth is not None:
            sent["Authorization"] = _basic(*auth)
        form = None if data is None else urlencode(_pairs(data)).encode()
        query = None if params is None else _pairs(params)
        reply = await self._transport.request(method, url, sent, data=form, params=query)
        if self._now is not None and reply.date is not None:
            self.ahead = reply.date - self._now()
        if not 200 <= reply.status < 300:
            raise _Refused(reply)
        return Response(reply.status, reply.body.decode("utf-8", "replace"), dict(reply.headers))


class _Refused(Exception):  # noqa: N818 - an answer, not an error of ours
    """Twilio answered, and not with a 2xx: its SDK's own exception would lose ``Retry-After``."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.outcome = from_twilio(reply.status, _error_code(reply.body), reply.retry_after)


class TwilioProvider:
    """One account, one sender."""

    name = "twilio"

    def __init__(
        self,
        settings: TwilioSettings,
        transport: Transport,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        """``now``: our clock. With it what the list shows is told by our clock, however far from
        that Twilio's is."""
        for name in _TELLS_NUMBERS:
            logging.getLogger(name).setLevel(logging.WARNING)
        self._settings = settings
        self._http = _Http(transport, now)
        self._client = Client(settings.account_sid, settings.auth_token, http_client=self._http)
        if settings.base_url:
            self._client.api.base_url = settings.base_url

    @property
    def sender(self) -> str:
        """See ``Provider``."""
        return self._settings.sender

    async def send(self, out: SmsOut) -> Outcome:
        """Create a message."""
        try:
            message = await self._client.messages.create_async(**self._fields(out))
        except TransportError as error:
            return from_fault(error.fault)
        except _Refused as refused:
            return refused.outcome
        except _NOT_AS_PROMISED:
            return from_fault(Fault.BROKEN_REPLY)
        return accepted(str(message.sid)) if message.sid else from_fault(Fault.BROKEN_REPLY)

    def _fields(self, out: SmsOut) -> dict[str, Any]:
        seconds = int(out.valid_for.total_seconds())
        fields: dict[str, Any] = {
            "to": out.to,
            "body": out.text,
            "validity_period": max(1, min(seconds, _LONGEST_VALIDITY)),
        }
        if out.template is not None:
            # Twilio's Content API: the registered text takes the place of the body.
            del fields["body"]
            fields["content_sid"] = out.template.id
            fields["content_variables"] = json.dumps(out.template.parameters, ensure_ascii=False)
        sender = self._settings.sender
        fields["messaging_service_sid" if sender.startswith("MG") else "from_"] = sender
        if self._settings.status_callback:
            # Final statuses only, and repeated with pauses if our end is away.
            callback = f"{self._settings.status_callback}?a={out.attempt}#rc=5&rp=all"
            fields["status_callback"] = callback
        return fields

    async def find(self, to: str, since: datetime) -> list[Sighting] | None:
        """The latest 50 messages to ``to``. No date filter: Twilio's is on the sent date, which
        is empty while a message is queued."""
        try:
            found = await self._client.messages.list_async(to=to, limit=50)
        except (TransportError, _Refused, *_NOT_AS_PROMISED):
            return None
        return [self._sighting(message) for message in found]

    async def fetch(self, provider_id: str) -> Sighting | None:
        """The message with this SID."""
        try:
            message = await self._client.messages(provider_id).fetch_async()
        except (TransportError, _Refused, *_NOT_AS_PROMISED):
            return None
        return self._sighting(message)

    async def written_to_us(self, since: datetime) -> list[Written] | None:
        """The messages that came in since then; of a messaging service all of the account have to
        be read, since its numbers are not known here."""
        sender = self._settings.sender
        to = {"to": sender} if sender.startswith("+") else {}
        try:
            found = await self._client.messages.list_async(
                **to, date_sent_after=since + self.ahead, limit=_MOST_READ, page_size=_PAGE
            )
        except (TransportError, _Refused, *_NOT_AS_PROMISED):
            return None
        inbound = [message for message in found if message.direction == "inbound"]
        return [self._written(message) for message in reversed(inbound)]

    @property
    def ahead(self) -> timedelta:
        """How far Twilio's clock is ahead of ours, by its last answer."""
        return self._http.ahead

    def _written(self, message: Any) -> Written:
        return Written(
            provider_id=str(message.sid),
            sender=message.from_ or "",
            text=message.body or "",
            written_at=self._ours(message.date_sent or message.date_created),
        )

    def _sighting(self, message: Any) -> Sighting:
        return Sighting(
            provider_id=str(message.sid),
            text=_as_handed_over(message.body or ""),
            created_at=self._ours(message.date_created),
            status=str(message.status)[:30],
            error_code=message.error_code,
        )

    def _ours(self, at: datetime | None) -> datetime:
        """An instant of Twilio's by our clock. What has no date has just come."""
        return datetime.now(UTC) if at is None else at - self.ahead


def _as_handed_over(body: str) -> str:
    """A text without what a trial account puts before it; nothing of one that is not shown."""
    return "" if _REDACTED in body else body.removeprefix(_TRIAL)


def _basic(user: str, password: str) -> str:
    """HTTP Basic credentials (RFC 7617)."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def _pairs(values: dict[str, object]) -> list[tuple[str, str]]:
    """Form fields or query parameters; a list repeats its name."""
    pairs: list[tuple[str, str]] = []
    for name, value in values.items():
        several = value if isinstance(value, list | tuple) else [value]
        pairs += [(name, str(one)) for one in several if one is not None]
    return pairs


def _error_code(body: bytes) -> int | None:
    """Twilio's own code in an error body, ``None`` where there is none (an HTML page, say)."""
    try:
        code = json.loads(body).get("code")
    except (ValueError, AttributeError, RecursionError):
        return None
    if isinstance(code, str) and code.isascii() and code.isdigit():
        code = int(code[:10])
    whole = isinstance(code, int) and not isinstance(code, bool)
    return code if whole and 0 < code < _CODES_END else None
