"""What Twilio calls: the status of a message, and a message that a holder wrote.

Source: www.twilio.com/docs/messaging/guides/track-outbound-message-status and
www.twilio.com/docs/messaging/guides/webhook-request. Callbacks repeat and are not in order.
"""

import asyncio
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from worker.core.optout import Said
from worker.core.reports import Report
from worker.errors import UnreachableError
from worker.providers.signatures import ForgedError, TwilioSignature
from worker.providers.twilio.reports import STATUSES
from worker.setup.listening import INBOUND_PATH, STATUS_PATH
from worker.web.intake import Intake
from worker.web.tally import Tally

_FORM: Final = "application/x-www-form-urlencoded"
_SID: Final = re.compile(r"(?:SM|MM)[0-9a-fA-F]{32}", re.ASCII)
_CODE: Final = re.compile(r"[1-9][0-9]{3,5}", re.ASCII)
_NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
# Advanced Opt-Out has read the message already, in the words of its own configuration.
_READ: Final = {"STOP": Said.OUT, "START": Said.IN, "HELP": Said.HELP}
_NO_REPLY: Final = '<?xml version="1.0" encoding="UTF-8"?><Response/>'

# ``app.consent.inbound``: sender, text, what Twilio has read in it, now, the message's id; returns
# a word for the log.
Inbound = Callable[[str, str, Said | None, datetime, str], str]


@dataclass(frozen=True, slots=True)
class TwilioWebhooks:
    """``signature`` is ``None`` where Twilio is not in use, or does not know our address: then
    everything is refused."""

    signature: TwilioSignature | None
    intake: Intake
    inbound: Inbound
    now: Callable[[], datetime]
    tally: Tally
    seconds: float

    def routes(self) -> list[Route]:
        """POST only."""
        return [
            Route(STATUS_PATH, self.status, methods=["POST"]),
            Route(INBOUND_PATH, self.message, methods=["POST"]),
        ]

    async def status(self, request: Request) -> Response:
        """204 once the report is stored, and for what is genuine but tells us nothing."""
        form = await self._form(request)
        report = status_report(form, request.query_params.get("a"), self.now())
        if report is None:
            self.tally.add("reports_taken", "twilio: not a status")
        else:
            await self.intake.add([report], self.seconds)
        return Response(status_code=204)

    async def message(self, request: Request) -> Response:
        """An empty TwiML document: the answer to an opt-out is Twilio's own."""
        form = await self._form(request)
        word = "ignored"
        if _NUMBER.fullmatch(sender := form.get("From", "")):
            text, kind = form.get("Body", ""), form.get("OptOutType", "").strip().upper()
            try:
                async with asyncio.timeout(self.seconds):
                    word = await asyncio.to_thread(
                        self.inbound, sender, text, _READ.get(kind), self.now(), message_id(form)
                    )
            except TimeoutError:
                raise UnreachableError("The database is slower than Twilio waits.") from None
        self.tally.add("inbound_message", word)
        return Response(_NO_REPLY, media_type="text/xml")

    async def _form(self, request: Request) -> Mapping[str, str]:
        if request.headers.get("Content-Type", "").split(";")[0].strip().lower() != _FORM:
            raise HTTPException(415)
        try:
            if self.signature is None:
                raise ForgedError("twilio: not configured")
            return self.signature.form(request, await request.body())
        except ForgedError as doubt:
            self.tally.add("webhook_refused", str(doubt))
            raise HTTPException(403) from None


def message_id(form: Mapping[str, str]) -> str:
    """The id of an inbound message: who brings the same signed request once more, however much
    later, brings the same message. Without a SID it is what was signed."""
    sid = form.get("MessageSid", "")
    if _SID.fullmatch(sid):
        return sid
    return "form:" + hashlib.sha256(repr(sorted(form.items())).encode()).hexdigest()


def status_report(form: Mapping[str, str], attempt: str | None, now: datetime) -> Report | None:
    """What a status callback says; Twilio gives no time, so it happened ``now``."""
    sid, status = form.get("MessageSid", ""), form.get("MessageStatus", "").lower()
    if not _SID.fullmatch(sid) or status not in STATUSES:
        return None
    code = form.get("ErrorCode", "")
    return Report(
        provider="twilio",
        event_id=f"{sid}:{status}",
        status=status,
        attempt=as_uuid(attempt),
        provider_id=sid,
        code=code if _CODE.fullmatch(code) else None,
        occurred_at=now,
    )


def as_uuid(text: object) -> UUID | None:
    """``text`` as the id of an attempt, ``None`` if it is none."""
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None
