"""The form of REDIS_URL, apart from the broker: to look at it must not import dramatiq, which reads
its own settings when it is imported."""

from pydantic import SecretStr
from redis.connection import parse_url

from worker.errors import ConfigError


def require_address(url: SecretStr | None) -> None:
    """Raise ``ConfigError`` for a REDIS_URL that is no address; its text may hold a password."""
    if url is None:
        return
    try:
        parse_url(url.get_secret_value())  # type: ignore[no-untyped-call]
    except ValueError:
        raise ConfigError(
            "REDIS_URL is not a Redis address.",
            "Write redis://host:6379/1, rediss://… or unix:///path.",
        ) from None
