"""Doorways: ids in, one use case, nothing else."""

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

import dramatiq
import structlog
from dramatiq import Actor
from dramatiq.broker import Broker
from dramatiq.errors import DramatiqError
from redis import RedisError

from worker import metrics
from worker.app import App, build_ready
from worker.broker import open_broker
from worker.children import end_with_master
from worker.core.cards import Channel
from worker.log import configure
from worker.settings import load

log = structlog.get_logger(__name__)


class Hints:
    """Tells the workers what to do. A hint that is lost is repeated by the sweep."""

    def __init__(self, broker: Broker, app: App) -> None:
        self._app = app
        # A queue for each channel: a slow SMS route never keeps email waiting.
        # What may go out goes before more is checked, or the lines to the providers stand idle.
        self._check = _actor(broker, self._check_cards, "check_cards", "checks", later=1)
        self._send = {
            Channel.SMS: _actor(broker, self._send_sms, "send_sms", "sms"),
            Channel.EMAIL: _actor(broker, self._send_email, "send_email", "email"),
            Channel.GUARDIAN: _actor(broker, self._send_guardian, "send_guardian", "email"),
        }
        self._settle = _actor(broker, self._reconcile, "reconcile", "reconcile", later=2)
        self._ask = _actor(broker, self._fetch, "fetch", "reconcile", later=2)

    def check_cards(self, ids: Sequence[int]) -> None:
        """Have these cards checked."""
        self._tell(self._check, ids)

    def send(self, channel: Channel, ids: Sequence[int]) -> None:
        """Have these messages sent."""
        self._tell(self._send[channel], ids)

    def reconcile(self, ids: Sequence[int]) -> None:
        """Have these unknown messages settled."""
        self._tell(self._settle, ids)

    def fetch(self, ids: Sequence[int]) -> None:
        """Have these sent messages, of which nothing was heard, asked about."""
        self._tell(self._ask, ids)

    def _tell(self, actor: Actor[[list[int]], object], ids: Sequence[int]) -> None:
        try:
            actor.send(list(ids))
        except (DramatiqError, RedisError):
            # The claim behind this hint runs out and the next sweep repeats it.
            log.error("alarm", cause="queue_unreachable", actor=actor.actor_name, ids=len(ids))

    def _check_cards(self, ids: list[int]) -> None:
        checked = self._app.checks.run(ids, self._app.now())
        for channel, due in checked.due.items():
            self.send(channel, due)

    async def _send_sms(self, ids: list[int]) -> None:
        await self._app.delivery.run(Channel.SMS, ids, self._app.now())

    async def _send_email(self, ids: list[int]) -> None:
        await self._app.delivery.run(Channel.EMAIL, ids, self._app.now())

    async def _send_guardian(self, ids: list[int]) -> None:
        await self._app.delivery.run(Channel.GUARDIAN, ids, self._app.now())

    async def _reconcile(self, ids: list[int]) -> None:
        await self._app.reconciliation.run(ids, self._app.now())

    async def _fetch(self, ids: list[int]) -> None:
        await self._app.fetching.run(ids, self._app.now())


def boot() -> None:
    """What each worker process runs first: build the app, declare the actors."""
    _end_once()
    # A batch that is rendered keeps the calls of all others waiting this long (seconds), each time
    # they come back from the network; the default of 5 ms costs more than the calls themselves.
    sys.setswitchinterval(0.0005)
    settings = load()
    end_with_master(settings.worker.shutdown_seconds)
    # Straight to stderr: in a worker process sys.stderr is a pipe to dramatiq's main process, which
    # fills up and stops everything, the end included, once that process cannot write any more.
    configure(settings.log_level, settings.log_format, sys.__stderr__)
    app = build_ready(settings)
    if settings.redis_url is None:
        raise RuntimeError("REDIS_URL is not set")
    broker = open_broker(settings.redis_url.get_secret_value())
    dramatiq.set_broker(broker)
    Hints(broker, app)
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        metrics.enable(several_processes=True)
    _ = app.delivery  # compile the texts now, not with the first message


def _end_once() -> None:
    """Let the first SIGTERM stop this process, and further ones do nothing.

    At a second one dramatiq leaves its main thread and waits for the others for ever, since they
    were not told. Two are common: the kernel sends one for each thread of a parent that dies.
    """
    stop = signal.getsignal(signal.SIGTERM)
    if not callable(stop):
        return

    def first(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        stop(number, frame)

    signal.signal(signal.SIGTERM, first)


def _actor(
    broker: Broker, fn: object, name: str, queue: str, later: int = 0
) -> Actor[[list[int]], object]:
    """``later``: of what a process has at hand, those with the lowest number go first."""
    return dramatiq.actor(  # type: ignore[call-overload,no-any-return]
        fn, broker=broker, actor_name=name, queue_name=queue, priority=later
    )
