"""What each card costs in the designs most would write first: an ORM session and `requests`."""

import os
import threading
from functools import cache
from typing import Any

import requests
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session, sessionmaker

from benchmarks.throughput.load import NOW
from benchmarks.throughput.tables import BenchCard, BenchReminder
from benchmarks.throughput.texts import WINDOW, payload

_local = threading.local()


@cache
def _sessions() -> sessionmaker[Session]:
    url = os.environ["BENCH_DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://", 1)
    return sessionmaker(create_engine(url, pool_size=64, max_overflow=0), expire_on_commit=False)


def _http() -> requests.Session:
    if not hasattr(_local, "session"):
        _local.session = requests.Session()
    session: requests.Session = _local.session
    return session


def remind(card_id: int) -> None:
    """Load, write the reminder, send, write what became of it: a transaction before and after."""
    with _sessions()() as session:
        card = session.get_one(BenchCard, card_id)
        known = session.scalars(
            select(BenchReminder).filter_by(card_id=card.id, plan_end=card.plan_end, window=WINDOW)
        ).first()
        if known is not None:
            return
        reminder = BenchReminder(
            card_id=card.id, plan_end=card.plan_end, window=WINDOW, state="sending"
        )
        session.add(reminder)
        session.commit()
        reminder.provider_id = _send(payload(card, NOW))
        reminder.state = "sent"
        session.commit()


def _send(what: dict[str, str]) -> str:
    url = os.environ["BENCH_STUB_URL"]
    if "html" not in what:
        reply = _http().post(
            f"{url}/2010-04-01/Accounts/AC/Messages.json",
            data={"To": what["to"], "From": "+15005550006", "Body": what["text"]},
            auth=("AC", "token"),
            timeout=10,
        )
        reply.raise_for_status()
        return str(reply.json()["sid"])
    reply = _http().post(f"{url}/v3/mail/send", json=mail(what), timeout=10,
                         headers={"Authorization": "Bearer SG.key"})  # fmt: skip
    reply.raise_for_status()
    return reply.headers["x-message-id"]


def mail(what: dict[str, str]) -> dict[str, Any]:
    """SendGrid's document."""
    return {
        "personalizations": [{"to": [{"email": what["to"]}]}],
        "from": {"email": "from@example.com", "name": "Vigencia"},
        "subject": what["subject"],
        "content": [
            {"type": "text/plain", "value": what["text"]},
            {"type": "text/html", "value": what["html"]},
        ],
    }
