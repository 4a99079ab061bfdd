"""What the sandbox reports of its messages, as the providers do: signed, late, twice, in disorder.

Every draw comes from a ``random.Random`` seeded with the address and how often it was written to,
so that the same messages meet the same fate again.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from uuid import uuid4

from worker.sandbox.clock import Clock
from worker.sandbox.lifecycle import events_of
from worker.sandbox.messages import Email, Sms
from worker.sandbox.posting import Post, Poster
from worker.sandbox.signing import event_headers
from worker.sandbox.webhooks import Webhooks

# Beyond this many that wait, reports are dropped, as best effort allows.
_MOST_WAITING: Final = 100_000
# Events of one call, and how long the first waits for others.
_BATCH: Final = 100
_BATCH_S: Final = 0.02
_EVENT_TRIES: Final = 15

_BEGUN: Final = ("made", "duplicated")
_ENDED: Final = ("dropped", "acknowledged", "given_up", "not_here")
_CALLS: Final = ("posts", "retried")


@dataclass(frozen=True, slots=True)
class Reported:
    """One thing to be told of an SMS: the ``status`` it comes to, and the call that tells it, which
    is made when its time has come."""

    status: str
    post: Callable[[], Post]


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

    def follow(self, sms: Sms, reports: Sequence[Reported]) -> None:
        """Let ``sms`` reach what is reported of it, and report it, each in its time."""
        for number, one in enumerate(reports):
            self._later(self._after(number), partial(self._reach, sms, one.status))
        own = self.webhooks.drop_rate
        if reports:
            self._plan(sms.to, len(reports), own, lambda number: self._post(reports[number]))

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

    async def call(self, post: Post) -> tuple[int | None, str]:
        """Make one call now, such as that of a holder's message; the answer's status and text."""
        return await self._poster.call(post.url, post.body, post.sign(), post.method)

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

    def _post(self, one: Reported) -> None:
        self._poster.start(one.post(), self.webhooks.retry_ms / 1000)

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
