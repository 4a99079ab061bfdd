"""Design A2: dramatiq, one message a card, ORM, requests; 2 processes of 64 threads."""

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.throughput.naive import remind
from benchmarks.throughput.texts import parts

broker = RedisBroker(url=os.environ["BENCH_REDIS_URL"], namespace="a2")  # type: ignore[no-untyped-call]
dramatiq.set_broker(broker)


@dramatiq.actor(max_retries=3)
def send_reminder(card_id: int) -> None:
    """Remind the holder of one card."""
    remind(card_id)


if "BENCH_WORKER" in os.environ:
    parts()
