"""What the sandbox reports of its messages, as the providers do: signed, late, twice, in disorder.

Every draw comes from a ``random.Random`` seeded with the address and how often it was written to,
so that the same messages meet the same fate again.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qs, urldefrag, urlencode
from uuid import uuid4

from worker.sandbox.clock import Clock
from worker.sandbox.credentials import ACCOUNT_SID, SENDER
from worker.sandbox.lifecycle import events_of
from worker.sandbox.messages import Email, Sms
from worker.sandbox.posting import Post, Poster
from worker.sandbox.signing import event_headers, twilio_headers
from worker.sandbox.webhooks import Webhooks

_API_VERSION: Final = "2010-04-01"
# Beyond this many that wait, reports are dropped, as best effort allows.
_MOST_WAITING: Final = 100_000
# Events of one call, and how long the first waits for others.
_BATCH: Final = 100
_BATCH_S: Final = 0.02
_EVENT_TRIES: Final = 15
_MOST_RETRIES: Final = 5

_BEGUN: Final = ("made", "duplicated")
_ENDED: Final = ("dropped", "acknowledged", "given_up", "not_here")
_CALLS: Final = ("posts", "retried")


class Callbacks:
    """Reports of one sandbox; to be used in the event loop."""

    def __init__(self, clock: Clock, webhooks: Webhooks, seed: int) -> None:
        self._clock, self._seed = clock, seed
        self._poster = Poster()
        self._timers: set[asyncio.TimerHandle] = set()
        self.reset(webhooks)

    def reset(self, webhooks: Webhooks) -> None:
        """Forget what waits and what was counted."""
        self.webhooks = webhooks
        self._met: Counter[str] = Counter()
        self._events: list[dict[str, Any]] = []
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._poster.forget()

    async def close(self) -> None:
        """End at once."""
        self.reset(self.webhooks)
        await self._poster.close()

    def counts(self) -> dict[str, int]:
        """Reports (posts, retries: calls) so far; ``waiting`` ends at 0 by itself."""
        counts = {name: self._poster.counts[name] for name in (*_BEGUN, *_ENDED, *_CALLS)}
        begun, ended = (sum(counts[name] for name in names) for names in (_BEGUN, _ENDED))
        return {**counts, "waiting": begun - ended}

    def sms(self, sms: Sms) -> None:
        """Report every status of ``sms`` to its StatusCallback, and let it reach them."""
        url = sms.status_callback
        if url is None:
            return
        steps = sms.ending.statuses
        for number, status in enumerate(steps):
            self._later(self._after(number), partial(self._reach, sms, status))
        own = self.webhooks.drop_rate
        self._plan(sms.to, len(steps), own, lambda number: self._status(sms, url, steps[number]))

    def email(self, email: Email) -> None:
        """Report every event of ``email``, if anybody wants to know."""
        if self.webhooks.events_url is None:
            return
        steps = events_of(email.ending, email.why)
        events = [
            {
                **email.custom_args,
                "email": email.to,
                "smtp-id": f"<{email.id}@sandbox.example.com>",
                "sg_message_id": f"{email.id}.recvd-sandbox-1-0.0",
                "sg_event_id": uuid4().hex,
                "event": event,
                **more,
            }
            for event, more in steps
        ]
        own = self.webhooks.event_drop_rate
        rate = self.webhooks.drop_rate if own is None else own
        self._plan(email.to, len(steps), rate, lambda number: self._event(events[number]))

    async def inbound(self, form: Mapping[str, str]) -> tuple[int | None, str]:
        """Send a holder's message to the inbound address; the answer's status and text."""
        url = self.webhooks.inbound_url or ""
        sid = f"SM{uuid4().hex}"
        full = {
            "MessageSid": sid,
            "SmsSid": sid,
            "SmsMessageSid": sid,
            "AccountSid": ACCOUNT_SID,
            "To": SENDER,
            "NumMedia": "0",
            "NumSegments": "1",
            "SmsStatus": "received",
            "ApiVersion": _API_VERSION,
            **form,
        }
        return await self._poster.call(url, urlencode(full).encode(), twilio_headers(url, full))

    def _plan(
        self, address: str, count: int, drop_rate: float, report: Callable[[int], None]
    ) -> None:
        """Call ``report`` for each of ``count`` steps: in time, or as the settings spoil it."""
        self._met[address] += 1
        chance = random.Random(f"{self._seed}:{address}:{self._met[address]}")  # noqa: S311
        own, places = self.webhooks, list(range(count))
        if own.shuffle:
            chance.shuffle(places)
            places = [count + place for place in places]
        for number, place in enumerate(places):
            drop, twice = chance.random() < drop_rate, chance.random() < own.duplicate_rate
            self._poster.counts["made"] += 1
            if drop or len(self._timers) > _MOST_WAITING:
                self._poster.counts["dropped"] += 1
                continue
            self._later(self._after(place), partial(report, number))
            if twice:
                self._poster.counts["duplicated"] += 1
                self._later(self._after(place + 1), partial(report, number))

    def _after(self, steps: int) -> float:
        return steps * self.webhooks.status_delay_ms / 1000

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        def act() -> None:
            self._timers.discard(timer)
            action()

        timer = asyncio.get_running_loop().call_later(seconds, act)
        self._timers.add(timer)

    def _reach(self, sms: Sms, status: str) -> None:
        sms.reached.setdefault(status, self._clock.now())

    def _status(self, sms: Sms, callback: str, status: str) -> None:
        url, fragment = urldefrag(callback)
        form = status_form(sms, status, self._clock.now())
        tries, repeats = overrides(fragment)
        headers = twilio_headers(url, form)
        post = Post(url, 1, urlencode(form).encode(), lambda: headers, tries, repeats)
        self._poster.start(post, self.webhooks.retry_ms / 1000)

    def _event(self, event: dict[str, Any]) -> None:
        event.setdefault("timestamp", int(self._clock.now().timestamp()))
        self._events.append(event)
        if len(self._events) == 1:
            self._later(_BATCH_S, self._flush)
        elif len(self._events) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        events, self._events = self._events, []
        url = self.webhooks.events_url
        if not events or url is None:
            self._poster.counts["dropped"] += len(events)
            return
        # SendGrid: one event a line, and a line end after the last; all of it is signed.
        body = ("[" + ",\r\n".join(map(json.dumps, events)) + "]\r\n").encode()

        def sign() -> dict[str, str]:
            return event_headers(body, int(self._clock.now().timestamp()))

        post = Post(url, len(events), body, sign, _EVENT_TRIES, lambda _status: True)
        self._poster.start(post, self.webhooks.retry_ms / 1000)


def status_form(sms: Sms, status: str, now: datetime) -> dict[str, str]:
    """What Twilio posts to a StatusCallback."""
    form = {
        "MessageSid": sms.id,
        "MessageStatus": status,
        "SmsSid": sms.id,
        "SmsStatus": status,
        "AccountSid": ACCOUNT_SID,
        "ApiVersion": _API_VERSION,
        "From": sms.sender or SENDER,
        "To": sms.to,
    }
    if sms.service_sid:
        form["MessagingServiceSid"] = sms.service_sid
    if status == "delivered":
        form["RawDlrDoneDate"] = f"{now:%y%m%d%H%M}"
    if status == sms.ending.status and sms.ending.code:
        form["ErrorCode"] = str(sms.ending.code)
    return form


def overrides(fragment: str) -> tuple[int, Callable[[int | None], bool]]:
    """Twilio's connection overrides ``#rc=5&rp=all``: how many tries, and after which answers.

    Source: www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides. Without them: once
    more, if no connection was had.
    """
    given = {name: values[-1] for name, values in parse_qs(fragment).items()}
    count = given.get("rc", "1")
    retries = min(int(count), _MOST_RETRIES) if count.isdecimal() and count.isascii() else 1
    policies = set(given.get("rp", "ct").split(","))

    def repeats(status: int | None) -> bool:
        if status is None:
            return True
        return bool(policies & {"all", f"{status // 100}xx"})

    return 1 + retries, repeats
