"""Design B: Celery, one task a card, ORM, requests; 2 processes of 64 threads."""

import os

from celery import Celery
from celery.signals import worker_process_init, worker_ready

from benchmarks.throughput.naive import remind
from benchmarks.throughput.texts import parts

app = Celery("bench", broker=os.environ["BENCH_REDIS_URL"])
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=4, task_acks_late=True)


@app.task
def send_reminder(card_id: int) -> None:
    """Remind the holder of one card."""
    remind(card_id)


@worker_ready.connect
@worker_process_init.connect
def _warm(**_: object) -> None:
    parts()
