"""Composition: everything a process needs, made once from the settings."""

import asyncio
import urllib.request
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from urllib.error import URLError

from sqlalchemy import Engine

from worker.checks import Checks
from worker.clock import Clock, file_clock, system_clock
from worker.content.render import Content
from worker.core.cards import Channel
from worker.core.retry import RetryPolicy
from worker.core.rules import Rules
from worker.delivery import Delivery
from worker.delivery.prepare import Preparation
from worker.errors import UnreachableError
from worker.gateways import Gateways, choose
from worker.life import Life
from worker.paths import config_dir, templates_dir
from worker.providers.transport import Transport
from worker.providers.twilio import TwilioProvider
from worker.receipts import Reconciliation
from worker.rules import load_rules
from worker.settings import Settings, load
from worker.store.engine import open_engine
from worker.store.migrate import require_current


@dataclass
class App:
    """One process's parts; the costly ones are made on first use."""

    settings: Settings
    rules: Rules
    gateways: Gateways
    engine: Engine
    now: Clock

    @cached_property
    def content(self) -> Content:
        """All texts, compiled and tried."""
        return Content.load(templates_dir())

    @cached_property
    def transport(self) -> Transport:
        """The connection pool of this process."""
        delivery = self.settings.delivery
        return Transport(
            delivery.connect_timeout, delivery.read_timeout, connections=2 * delivery.in_flight
        )

    @cached_property
    def retry(self) -> RetryPolicy:
        """When to try again."""
        own = self.settings.retry
        return RetryPolicy(
            base=timedelta(seconds=own.base_seconds),
            longest=timedelta(seconds=own.longest_seconds),
            park=timedelta(seconds=own.park_seconds),
            hold=timedelta(seconds=own.hold_seconds),
            most=own.attempts,
        )

    @cached_property
    def checks(self) -> Checks:
        """The use case behind ``check_cards``."""
        hint = timedelta(seconds=self.settings.scheduler.hint_seconds)
        return Checks(self.engine, self.rules, hint)

    @cached_property
    def life(self) -> Life:
        """The use case behind `vigencia cards renew` and its like."""
        return Life(self.engine, self.rules)

    @cached_property
    def delivery(self) -> Delivery:
        """The use case behind ``send_sms`` and ``send_email``."""
        own = self.settings.delivery
        lease = timedelta(seconds=own.lease_seconds)
        providers = self.gateways.open(self.transport, self.now)
        preparation = Preparation(
            self.engine, self.rules, self.content, lease, self.retry.hold, frozenset(providers)
        )
        return Delivery(self.engine, preparation, providers, self.retry, own.in_flight)

    @cached_property
    def reconciliation(self) -> Reconciliation:
        """The use case behind ``reconcile``."""
        sms = self.delivery.providers.get(Channel.SMS)
        searchable = sms if isinstance(sms, TwilioProvider) else None
        return Reconciliation(self.engine, searchable, self.retry)

    async def close(self) -> None:
        """Close what is open in the running loop."""
        await self.transport.close()
        await asyncio.to_thread(self.engine.dispose)


def build(settings: Settings | None = None) -> App:
    """Read settings and rules and open the database. Raises ``ConfigError``."""
    settings = settings or load()
    clock = file_clock(settings.clock_file) if settings.clock_file else system_clock
    return App(
        settings=settings,
        rules=load_rules(config_dir()),
        gateways=choose(settings),
        engine=open_engine(settings.database_url.get_secret_value()),
        now=clock,
    )


def build_ready(settings: Settings | None = None) -> App:
    """An app whose database has this version's tables."""
    app = build(settings)
    require_current(app.engine)
    return app


def require_sandbox(app: App) -> None:
    """Raise ``UnreachableError`` if messages would go to a sandbox that does not answer."""
    url = app.gateways.twilio.base_url if app.gateways.twilio else None
    if not app.gateways.sandboxed or url is None:
        return
    try:
        with urllib.request.urlopen(f"{url}/sandbox/health", timeout=5):  # noqa: S310 - loopback
            return
    except (URLError, OSError):
        raise UnreachableError(
            f"No provider credentials are set, and no sandbox answers at {url}.",
            "Start one in another terminal: vigencia sandbox",
        ) from None
