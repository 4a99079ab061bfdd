"""The web application: webhooks, links, health, the console, and what holds for all of them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Match, Mount
from starlette.types import ASGIApp, Scope

from worker.providers.registry import PROVIDERS
from worker.setup.app import App
from worker.web import health, links
from worker.web.bodies import Bounds, Uploads
from worker.web.console import upload
from worker.web.console.application import UPLOADS, console
from worker.web.intake import Intake
from worker.web.middleware import Failures
from worker.web.tally import Tally
from worker.web.webhooks import WebhookEndpoints


class Otherwise(Mount):
    """Whatever is at none of the addresses of ``others`` is the console's, or nobody's. What is
    there with another method stays with them: it is answered 405."""

    def __init__(self, others: Sequence[BaseRoute], app: ASGIApp) -> None:
        super().__init__("", app)
        self._others = others

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """See ``BaseRoute``."""
        if any(one.matches(scope)[0] is not Match.NONE for one in self._others):
            return Match.NONE, {}
        return super().matches(scope)


def application(app: App, public_url: str | None) -> Starlette:
    """Everything that is served; ``public_url`` is the address at which providers call it.

    Raises ``ConfigError`` for a verification key that is none.
    """
    own, tally = app.settings.web, Tally()
    intake = Intake(app.receipts.take, app.now, tally)
    for provider in PROVIDERS:
        provider.lack(app.gateways.given[provider.name])
    webhooks = WebhookEndpoints(
        app.gateways.given,
        public_url,
        intake,
        lambda sender, text, read, now, brought: app.consent.inbound(
            sender, text, now, read=read, brought=brought
        ),
        app.now,
        tally,
        own.request_seconds,
        timedelta(seconds=own.replay_seconds),
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        tally.flush()
        await app.close()

    others = [*webhooks.routes(PROVIDERS), *links.routes(app), *health.routes(app)]
    served = Starlette(
        routes=[
            *others,
            Otherwise(others, console(app, public_url, tally)),
        ],
        middleware=[
            Middleware(Failures, tally=tally),
            Middleware(
                Bounds,
                most_bytes=own.most_bytes,
                seconds=own.request_seconds,
                uploads=Uploads(UPLOADS, upload.MOST_BYTES + own.most_bytes, upload.SECONDS),
            ),
        ],
        lifespan=lifespan,
    )
    served.router.redirect_slashes = False  # it would send on to whatever Host says
    return served
