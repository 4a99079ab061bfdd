"""The web application: webhooks, links, health, and what holds for all of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware

from worker.providers.signatures import TwilioSignature, sendgrid_key
from worker.setup.app import App
from worker.web import health, links
from worker.web.bodies import Bounds
from worker.web.intake import Intake
from worker.web.middleware import Failures
from worker.web.sendgrid_webhook import SendGridWebhook
from worker.web.tally import Tally
from worker.web.twilio_webhooks import TwilioWebhooks


def application(app: App, public_url: str | None) -> Starlette:
    """Everything that is served; ``public_url`` is the address at which providers call it.

    Raises ``ConfigError`` for a verification key that is none.
    """
    own, tally = app.settings.web, Tally()
    intake = Intake(app.receipts.take, app.now, tally)
    twilio = TwilioWebhooks(
        _twilio(app, public_url),
        intake,
        lambda sender, text, read, now, message: app.consent.inbound(
            sender, text, now, read=read, brought=("twilio", message)
        ),
        app.now,
        tally,
        own.request_seconds,
    )
    key = app.gateways.events_key
    sendgrid = SendGridWebhook(
        sendgrid_key(key) if key else None,
        intake,
        app.now,
        tally,
        own.request_seconds,
        own.replay_seconds,
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        tally.flush()
        await app.close()

    served = Starlette(
        routes=[
            *twilio.routes(),
            *sendgrid.routes(),
            *links.routes(app),
            *health.routes(app),
        ],
        middleware=[
            Middleware(Failures, tally=tally),
            Middleware(Bounds, most_bytes=own.most_bytes, seconds=own.request_seconds),
        ],
        lifespan=lifespan,
    )
    served.router.redirect_slashes = False  # it would send on to whatever Host says
    return served


def _twilio(app: App, public_url: str | None) -> TwilioSignature | None:
    account = app.gateways.twilio
    if account is None or public_url is None:
        return None
    return TwilioSignature(account.account_sid, account.auth_token, public_url)
