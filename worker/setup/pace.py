"""Token buckets: shared by all processes through Redis, or of this process where there is none."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis
import structlog

from worker.core.cards import Channel
from worker.core.pace import Grant, Level, Pace, capacity
from worker.setup.gateways import Gateway, Gateways, Mode
from worker.setup.settings import Settings

log = structlog.get_logger(__name__)

# The same sums as ``Level``, in one round trip and by the server's clock. A bucket that nobody
# asks for is full again, and its line empty, when its key expires.
_SCRIPT = """
local rate, capacity, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local unused, unqueued = tonumber(ARGV[4]), tonumber(ARGV[5])
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local found = redis.call('HMGET', KEYS[1], 'tokens', 'at', 'line')
local at = tonumber(found[2]) or now
local tokens = (tonumber(found[1]) or capacity) + math.max(0, now - at) * rate
tokens = math.min(capacity, math.min(capacity, tokens) + unused)
local line = math.max(now, (tonumber(found[3]) or now) - unqueued / rate)
local granted = math.min(wanted, math.max(0, math.floor(tokens + 1e-9)))
tokens = tokens - granted
local soon = math.max(0, 1 - tokens) / rate
local wait = math.max(line - now, soon)
if wanted > granted then line = now + wait + (wanted - granted) / rate end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens),
    'at', string.format('%.6f', math.max(now, at)), 'line', string.format('%.6f', line))
local rest = math.max(line - now, (capacity - tokens) / rate)
redis.call('PEXPIRE', KEYS[1], string.format('%d', (rest + 60) * 1000))
return {granted, string.format('%.6f', soon), string.format('%.6f', wait)}
"""
_AWAY_SECONDS = 10.0


@dataclass(slots=True)
class LocalPace:
    """Buckets of this process alone; ``clock`` in seconds."""

    clock: Callable[[], float] = time.monotonic
    _levels: dict[str, Level] = field(default_factory=dict)
    _lock: Any = field(default_factory=threading.Lock)

    def take(self, name: str, rate: float, wanted: int) -> Grant:
        """See ``Pace.take``."""
        with self._lock:
            now = self.clock()
            return self._level(name, rate, now).take(rate, wanted, now)

    def settle(self, name: str, rate: float, unused: int, unqueued: int) -> None:
        """See ``Pace.settle``."""
        with self._lock:
            now = self.clock()
            self._level(name, rate, now).settle(rate, unused, unqueued, now)

    def _level(self, name: str, rate: float, now: float) -> Level:
        return self._levels.setdefault(name, Level.full(rate, now))


class SharedPace:
    """Buckets in Redis. While it is away each process keeps its own, at the full rate: too fast
    is mended by the provider, which queues; standing still by nobody."""

    def __init__(self, url: str, namespace: str) -> None:
        self._redis = redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1)
        self._script = self._redis.register_script(_SCRIPT)
        self._namespace = namespace
        self._local = LocalPace()
        self._away_until = 0.0
        self._away = False

    def take(self, name: str, rate: float, wanted: int) -> Grant:
        """See ``Pace.take``."""
        found = self._run(name, rate, wanted, 0, 0)
        if found is None:
            return self._local.take(name, rate, wanted)
        return Grant(int(found[0]), float(found[1]), float(found[2]))

    def settle(self, name: str, rate: float, unused: int, unqueued: int) -> None:
        """See ``Pace.settle``."""
        if self._run(name, rate, 0, unused, unqueued) is None:
            self._local.settle(name, rate, unused, unqueued)

    def _run(self, name: str, rate: float, *numbers: int) -> Any:
        if time.monotonic() < self._away_until:
            return None
        try:
            keys = [f"{self._namespace}:pace:{name}"]
            granted = self._script(keys=keys, args=[rate, capacity(rate), *numbers])
        except (redis.RedisError, OSError) as error:
            self._away_until = time.monotonic() + _AWAY_SECONDS
            if not self._away:
                log.warning("pace_is_local", error=type(error).__name__)
            self._away = True
            return None
        self._away = False
        return granted


def open_pace(settings: Settings) -> Pace:
    """The buckets that ``settings`` ask for; connects on first use."""
    if settings.redis_url is None:
        return LocalPace()
    return SharedPace(settings.redis_url.get_secret_value(), "vigencia")


def rates(settings: Settings, gateways: Gateways) -> Mapping[Channel, float]:
    """How fast each channel may send, in tokens a second; one without a bound is not in it."""
    own = settings.pace
    sms = own.sms_segments_per_second
    if sms is None and gateways.modes.get(Channel.SMS) is Mode.LIVE:
        sms = _usual(gateways.on(Channel.SMS))
    found = {Channel.SMS: sms, Channel.EMAIL: own.email_per_second}
    return {channel: rate for channel, rate in found.items() if rate}


def _usual(gateways: Sequence[Gateway]) -> float | None:
    """Segments a second at which no sender gets more than its provider takes from it, as long as
    each carries its share."""
    total = sum(one.weight for one in gateways)
    bounds = [
        rate * total / one.weight if total else rate * len(gateways)
        for one in gateways
        if (rate := one.provider.pace(one.account.sender)) and (one.weight or not total)
    ]
    return min(bounds, default=None)
