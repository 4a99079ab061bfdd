"""What SendGrid posts: signed lists of events.

Source: www.twilio.com/docs/sendgrid/for-developers/tracking-events/event. A list has up to 768 KB,
and is repeated for 24 hours until it is answered with a 2xx.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from worker.core.reports import Report
from worker.providers.sendgrid.client import ATTEMPT_ARG
from worker.providers.sendgrid.outcomes import SENDGRID_DROPS
from worker.providers.sendgrid.reports import STATUSES
from worker.providers.signatures import ForgedError, check_events
from worker.setup.listening import EVENTS_PATH
from worker.web.intake import Intake
from worker.web.tally import Tally
from worker.web.twilio_webhooks import as_uuid

# 768 KB of the shortest events that SendGrid sends are about 4,000.
_MOST_EVENTS: Final = 10_000
_ID: Final = re.compile(r"[\x21-\x7e]{1,100}", re.ASCII)
# The class of a reason (RFC 3463). The reason in words is not kept: it may hold the address.
_CLASS: Final = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SendGridWebhook:
    """``key`` is ``None`` where it is not configured: then everything is refused. What was signed
    more than ``replay_seconds`` ago is refused too."""

    key: EllipticCurvePublicKey | None
    intake: Intake
    now: Callable[[], datetime]
    tally: Tally
    seconds: float
    replay_seconds: float

    def routes(self) -> list[Route]:
        """POST only."""
        return [Route(EVENTS_PATH, self.events, methods=["POST"])]

    async def events(self, request: Request) -> Response:
        """204 once all is stored that is about attempts of ours."""
        body = await request.body()
        try:
            if self.key is None:
                raise ForgedError("sendgrid: not configured")
            oldest = self.now().timestamp() - self.replay_seconds
            check_events(request, body, self.key, oldest)
            events = _parse(body)
        except ForgedError as doubt:
            self.tally.add("webhook_refused", str(doubt))
            raise HTTPException(403) from None
        if len(events) > _MOST_EVENTS:
            raise HTTPException(413)
        reports = [report for event in events if (report := event_report(event))]
        if ignored := len(events) - len(reports):
            self.tally.add("reports_taken", "sendgrid: not ours", ignored)
        await self.intake.add(reports, self.seconds)
        return Response(status_code=204)


def _parse(body: bytes) -> list[Any]:
    try:
        events = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ForgedError(f"sendgrid: {type(error).__name__}") from None
    if not isinstance(events, list):
        raise ForgedError("sendgrid: not a list")
    return events


def event_report(event: object) -> Report | None:
    """What one event says about an attempt; ``None`` for what is not about one, or not news."""
    if not isinstance(event, Mapping):
        return None
    status, event_id = event.get("event"), event.get("sg_event_id")
    attempt = as_uuid(event.get(ATTEMPT_ARG))
    if not isinstance(status, str) or status not in STATUSES:
        return None
    if not _is_id(event_id) or attempt is None:
        return None
    if status == "bounce" and event.get("type") == "blocked":
        status = "blocked"
    # "<X-Message-Id>.<where it went through SendGrid>"
    message_id = str(event.get("sg_message_id", "")).partition(".")[0]
    return Report(
        provider="sendgrid",
        event_id=str(event_id),
        status=status,
        attempt=attempt,
        provider_id=message_id if _is_id(message_id) else None,
        code=_code(event),
        occurred_at=_instant(event.get("timestamp")),
    )


def _code(event: Mapping[str, object]) -> str | None:
    """Why: of a drop SendGrid's own fixed reason, else the class."""
    reason, code = event.get("reason"), event.get("status")
    if isinstance(reason, str) and reason.lower() in SENDGRID_DROPS:
        return reason.lower()
    return code if isinstance(code, str) and _CLASS.fullmatch(code) else None


def _is_id(value: object) -> bool:
    return isinstance(value, str) and bool(_ID.fullmatch(value))


def _instant(timestamp: object) -> datetime | None:
    if isinstance(timestamp, bool) or not isinstance(timestamp, int | float):
        return None
    try:
        return datetime.fromtimestamp(timestamp, UTC)
    except (ValueError, OverflowError, OSError):
        return None
