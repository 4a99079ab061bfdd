"""When to try again, what a fault stops, and how much may go out, as the settings say."""

from datetime import timedelta

from worker.core.breaker import BreakerPolicy
from worker.core.caps import Caps
from worker.core.retry import RetryPolicy
from worker.paths import config_dir
from worker.pipeline.delivery.limits import Limits
from worker.setup.gateways import Gateways
from worker.setup.load_prices import load_tariff
from worker.setup.pace import open_pace, rates
from worker.setup.settings import Settings

# How long what a guardian is told waits for more, so that all of a morning is one digest.
_GATHER = timedelta(minutes=10)


def retry_policy(settings: Settings) -> RetryPolicy:
    """When to try again."""
    own = settings.retry
    return RetryPolicy(
        base=timedelta(seconds=own.base_seconds),
        longest=timedelta(seconds=own.longest_seconds),
        park=timedelta(seconds=own.park_seconds),
        hold=timedelta(seconds=own.hold_seconds),
        most=own.attempts,
        resend=settings.unknown.resend,
        fetch_after=settings.receipts.fetch_after,
    )


def breaker_policy(settings: Settings) -> BreakerPolicy:
    """When a breaker opens, and for how long."""
    own = settings.breaker
    return BreakerPolicy(
        timedelta(seconds=own.probe_seconds),
        timedelta(seconds=own.longest_seconds),
        own.filtered_of,
        own.filtered_share,
    )


def limits(settings: Settings, gateways: Gateways) -> Limits:
    """What bounds sending. Raises ``ConfigError`` for a cap on spending without prices."""
    caps = settings.caps
    return Limits(
        breaker_policy(settings),
        Caps(caps.per_address_per_day, caps.per_book_per_day, caps.spend_per_day),
        load_tariff(config_dir(), needed=caps.spend_per_day is not None),
        open_pace(settings),
        rates(settings, gateways),
        _GATHER,
    )
