"""The parts of delivery, put together for one process."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine

from worker.clock import Clock
from worker.content.render import Content
from worker.core.cards import Channel
from worker.core.retry import RetryPolicy
from worker.core.rules import Rules
from worker.core.tokens import Links
from worker.pipeline.delivery.concurrency import Slots
from worker.pipeline.delivery.dispatch import Delivery
from worker.pipeline.delivery.elsewhere import Elsewhere
from worker.pipeline.delivery.limits import Limits, senders_of
from worker.pipeline.delivery.mailing import mailing_of
from worker.pipeline.delivery.outcomes import Outcomes
from worker.pipeline.delivery.prepare import Preparation
from worker.pipeline.delivery.provider_health import ProviderHealth
from worker.pipeline.delivery.recorder import Recorder
from worker.pipeline.delivery.rendering import Renderer
from worker.providers.base import Provider

# How long an outcome waits for a database that is away or takes no changes. While it does, nobody
# else can settle the message; once it is back, an unknown rests before anything is sent again.
_PATIENCE = timedelta(hours=1)


def open_delivery(
    engine: Engine,
    rules: Rules,
    content: Content,
    providers: Mapping[Channel, Provider[Any]],
    retry: RetryPolicy,
    limits: Limits,
    *,
    lease: timedelta,
    in_flight: int,
    links: Links | None = None,
    reply_to: str | None = None,
    live: bool = False,
    played: Clock | None = None,
) -> Delivery:
    """Delivery over ``providers``; a channel without one is off.

    ``lease`` must outlast the longest call; ``in_flight`` bounds all calls of the process.
    ``reply_to``: where answers to emails go, instead of to each book's guardian. ``live``: real
    people are reached. ``played``: the clock of a play, where time does not flow as on this
    machine.
    """
    senders, health = senders_of(providers), ProviderHealth()
    renderer = Renderer(content, rules, links, mailing_of(senders.get(Channel.EMAIL), reply_to))
    preparation = Preparation(
        engine, rules, renderer, senders, limits, health, lease, retry.hold, live
    )
    outcomes = Outcomes(engine, retry, limits.breaker, Elsewhere(rules.hours, senders.keys()))
    recorder = Recorder(outcomes.write, max(lease, _PATIENCE))
    return Delivery(preparation, recorder, health, providers, Slots(in_flight), lease, played)
