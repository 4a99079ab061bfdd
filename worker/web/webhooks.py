"""What providers call: reports of messages, and messages that holders wrote.

Each provider declares the addresses that it calls, how a call is verified, and what it says.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from worker.core.optout import Said
from worker.errors import UnreachableError
from worker.pipeline.consent import IGNORED
from worker.providers.declaration import Declaration
from worker.providers.given import Given
from worker.providers.webhooks import Call, ForgedError, Inbound, Told, TooMuchError, Webhook
from worker.web.intake import Intake
from worker.web.tally import Tally

_NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)

# ``app.consent.inbound``: sender, text, what the provider has read in it, now, who brought it;
# returns a word for the log.
Hear = Callable[[str, str, Said | None, datetime, tuple[str, str]], str]


@dataclass(frozen=True, slots=True)
class WebhookEndpoints:
    """``given``: what is set for each provider, by name. ``public_url``: the address at which
    providers call us. What was signed more than ``replay`` ago is refused."""

    given: Mapping[str, Given]
    public_url: str | None
    intake: Intake
    hear: Hear
    now: Callable[[], datetime]
    tally: Tally
    seconds: float
    replay: timedelta

    def routes(self, providers: Sequence[Declaration]) -> Iterator[Route]:
        """One for each address, for the methods of its provider alone."""
        for provider in providers:
            for hook in provider.webhooks:
                route = Route(hook.path, self._endpoint(provider, hook), methods=[*hook.methods])
                # A GET would bring it with it: a look that is believed, and of which nobody knows.
                route.methods = set(hook.methods)
                yield route

    def _endpoint(
        self, provider: Declaration, hook: Webhook
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            """What ``hook`` answers once all is stored, and for what is genuine but tells us
            nothing."""
            told = await self._read(provider, hook, request)
            if told.ignored:
                self.tally.add("reports_taken", f"{provider.name}: {hook.ignored}", told.ignored)
            if told.reports:
                await self.intake.add(told.reports, self.seconds)
            for one in told.inbound:
                await self._hear(provider, one)
            answer = hook.answer
            return Response(answer.body, answer.status, media_type=answer.media_type)

        return endpoint

    async def _read(self, provider: Declaration, hook: Webhook, request: Request) -> Told:
        kind = request.headers.get("Content-Type", "").split(";")[0].strip().lower()
        if hook.content_type not in (None, kind):
            raise HTTPException(415)
        call = self._call(request, await request.body())
        try:
            hook.verify(self.given[provider.name], call)
            return hook.parse(call)
        except ForgedError as doubt:
            self.tally.add("webhook_refused", str(doubt))
            raise HTTPException(403) from None
        except TooMuchError:
            raise HTTPException(413) from None

    def _call(self, request: Request, body: bytes) -> Call:
        query = request.scope["query_string"]
        path = request.scope["raw_path"] + (b"?" + query if query else b"")
        now = self.now()
        return Call(
            self.public_url + path.decode("latin-1") if self.public_url else None,
            {name: request.headers.getlist(name) for name in request.headers},
            dict(request.query_params),
            body,
            now,
            now - self.replay,
            request.method,
            query.decode("latin-1"),
        )

    async def _hear(self, provider: Declaration, one: Inbound) -> None:
        word, brought = IGNORED, (provider.name, one.provider_id)
        if _NUMBER.fullmatch(one.sender):
            try:
                async with asyncio.timeout(self.seconds):
                    word = await asyncio.to_thread(
                        self.hear, one.sender, one.text, one.read, self.now(), brought
                    )
            except TimeoutError:
                problem = f"The database is slower than {provider.title} waits."
                raise UnreachableError(problem) from None
        self.tally.add("inbound_message", word)
