"""Whose clock differs from ours: that of the database, and those of the providers."""

import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.error import HTTPError

from sqlalchemy import func, select

from worker.setup.app import App
from worker.store.engine import reading

# A Date header has whole seconds, and an answer takes its time.
TOLERATED: Final = timedelta(seconds=5)
_SECONDS: Final = 3.0


def differences(app: App) -> Iterator[tuple[str, timedelta]]:
    """How far the clocks of others are ahead of this machine's, by who they are; those that cannot
    be asked are left out. Raises ``UnreachableError`` if the database is away."""
    if app.engine.dialect.name == "postgresql":
        with reading(app.engine) as conn:
            theirs = conn.execute(select(func.clock_timestamp())).scalar_one()
        yield "the database", theirs - app.now()
    for name, url in _addresses(app).items():
        if (ahead := _ahead(app, url)) is not None:
            yield name, ahead


def _addresses(app: App) -> dict[str, str]:
    """Where each provider tells the time, whatever else it answers: real ones, and those in whose
    list messages are looked up by their time."""
    return {
        one.provider.title: one.account.address
        for one in app.gateways.own.values()
        if one.provider.own_url and (app.gateways.live or one.provider.searchable)
    }


def _ahead(app: App, url: str) -> timedelta | None:
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - http or https
    try:
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
                date = answer.headers["Date"]
        except HTTPError as refused:  # it answers, and says when
            date = refused.headers["Date"]
        told = parsedate_to_datetime(date)
    except Exception:  # no network, a server that is none: nothing is known of its clock
        return None
    return (told if told.tzinfo else told.replace(tzinfo=UTC)) - app.now()


def in_words(ahead: timedelta) -> str:
    """``12 s ahead of`` or ``12 s behind``."""
    seconds = round(ahead.total_seconds())
    return f"{seconds} s ahead of" if seconds > 0 else f"{-seconds} s behind"


def now_in_words(at: datetime) -> str:
    """An instant for people."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
