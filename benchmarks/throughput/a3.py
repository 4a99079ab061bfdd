"""Design A3: one message a card done well. Raw SQL on a connection a thread, urllib3, prefetch."""

import json
import os
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import dramatiq
import psycopg
import urllib3
from dramatiq.brokers.redis import RedisBroker
from psycopg.rows import namedtuple_row

from benchmarks.throughput.load import NOW
from benchmarks.throughput.naive import mail
from benchmarks.throughput.texts import WINDOW, parts, payload

broker = RedisBroker(url=os.environ["BENCH_REDIS_URL"], namespace="a3")  # type: ignore[no-untyped-call]
dramatiq.set_broker(broker)
_http = urllib3.PoolManager(maxsize=64, block=True, retries=False)
_SMS = {**urllib3.make_headers(basic_auth="AC:token"),
        "Content-Type": "application/x-www-form-urlencoded"}  # fmt: skip
_MAIL = {"Authorization": "Bearer SG.key", "Content-Type": "application/json"}


# PostgreSQL takes 100 connections by default; a call to the provider holds none.
_free: queue.LifoQueue[psycopg.Connection | None] = queue.LifoQueue()
for _ in range(45):
    _free.put(None)


@contextmanager
def _cursor() -> Iterator[psycopg.Cursor[Any]]:
    conn = _free.get()
    try:
        if conn is None:
            conn = psycopg.connect(os.environ["BENCH_DATABASE_URL"], autocommit=True)
        with conn.cursor(row_factory=namedtuple_row) as cursor:
            yield cursor
    finally:
        _free.put(conn)


@dramatiq.actor(max_retries=3)
def send_reminder(card_id: int) -> None:
    """Remind the holder of one card: three statements and one call."""
    with _cursor() as cursor:
        row = cursor.execute("SELECT * FROM bench_cards WHERE id = %s", [card_id]).fetchone()
        assert row is not None
        cursor.execute(
            'INSERT INTO bench_reminders (card_id, plan_end, "window", state)'
            " VALUES (%s, %s, %s, 'sending') ON CONFLICT DO NOTHING RETURNING id",
            [card_id, row.plan_end, WINDOW],
        )
        claimed = cursor.fetchone()
    if claimed is None:
        return
    provider_id = _send(payload(row, NOW))
    with _cursor() as cursor:
        cursor.execute(
            "UPDATE bench_reminders SET state = 'sent', provider_id = %s WHERE id = %s",
            [provider_id, claimed.id],
        )


def _send(what: dict[str, str]) -> str:
    url = os.environ["BENCH_STUB_URL"]
    if "html" not in what:
        body = urlencode({"To": what["to"], "From": "+15005550006", "Body": what["text"]})
        reply = _http.request("POST", f"{url}/2010-04-01/Accounts/AC/Messages.json", body=body,
                              headers=_SMS, timeout=10)  # fmt: skip
        return str(reply.json()["sid"])
    reply = _http.request("POST", f"{url}/v3/mail/send", body=json.dumps(mail(what)).encode(),
                          headers=_MAIL, timeout=10)  # fmt: skip
    return str(reply.headers["x-message-id"])


if "BENCH_WORKER" in os.environ:
    parts()
