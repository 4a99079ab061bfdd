"""What the use cases of a process are made of: settings, texts, connections, and the rules of
sending."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from sqlalchemy import Engine

from worker.clock import Clock
from worker.content.render import Content
from worker.core.breaker import BreakerPolicy
from worker.core.retry import RetryPolicy
from worker.core.rules import Rules
from worker.core.tokens import Links, Signer
from worker.paths import templates_dir
from worker.pipeline.delivery.limits import Limits
from worker.providers.transport import Transport
from worker.sandbox import credentials as sandbox
from worker.setup.gateways import Gateways
from worker.setup.load_texts import texts
from worker.setup.pace import rates
from worker.setup.sending_rules import breaker_policy, limits, retry_policy
from worker.setup.settings import Settings, keys_in


@dataclass
class Parts:
    """One process's parts; the costly ones are made on first use."""

    settings: Settings
    rules: Rules
    gateways: Gateways
    engine: Engine
    now: Clock

    @cached_property
    def content(self) -> Content:
        """All texts, compiled and tried."""
        return texts(templates_dir().resolve())

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
        return retry_policy(self.settings)

    @property
    def breaker(self) -> BreakerPolicy:
        """When a breaker opens, and for how long."""
        return breaker_policy(self.settings)

    @property
    def unchecked(self) -> timedelta:
        """How long a check may be owed before that needs explaining: three leases."""
        return timedelta(seconds=3 * self.settings.scheduler.check_lease_seconds)

    @cached_property
    def limits(self) -> Limits:
        """What bounds sending. Raises ``ConfigError`` for a cap on spending without prices."""
        return limits(self.settings, self.gateways)

    @cached_property
    def paced(self) -> bool:
        """Is any sender bound to a pace?"""
        return bool(rates(self.settings, self.gateways))

    @cached_property
    def signer(self) -> Signer | None:
        """Signs links; none without SECRET_KEY, except where nothing leaves this machine."""
        keys = keys_in(self.settings.secret_key)
        if not keys and self.gateways.sandboxed:
            keys = [sandbox.SECRET_KEY]
        former = keys_in(self.settings.secret_key_previous) if keys else []
        return Signer(tuple(key.encode() for key in keys + former)) if keys else None

    @cached_property
    def links(self) -> Links | None:
        """What messages let a holder answer with; none without an address of ours to answer to."""
        base = self.settings.web.public_url
        return Links(base, self.signer) if base and self.signer else None

    async def close(self) -> None:
        """Close what is open in the running loop."""
        await self.transport.close()
        await asyncio.to_thread(self.engine.dispose)
