"""Design B: Celery, one task a card, ORM, requests; 2 processes of 64 threads."""

import os

from celery import Celery
from celery.signals import worker_process_init, worker_ready

from benchmarks.throughput.naive import remind
from benchmarks.throughput.texts import parts

# kombu's own names for a Redis behind a socket, and for its database.
_BROKER = os.environ["BENCH_REDIS_URL"].replace("unix://", "redis+socket://")
app = Celery("bench", broker=_BROKER.replace("?db=", "?virtual_host="))
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=4, task_acks_late=True)


@app.task
def send_reminder(card_id: int) -> None:
    """Remind the holder of one card."""
    remind(card_id)


@worker_ready.connect
@worker_process_init.connect
def _warm(**_: object) -> None:
    parts()
