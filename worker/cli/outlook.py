"""What is still to come, for a person who has just started everything and waits for a message."""

from datetime import datetime

from sqlalchemy import Connection

from worker.cli.times import local
from worker.store.views import cards_to_check, next_look, unended


def outlook(conn: Connection, now: datetime, time_zone: str) -> str | None:
    """One line: how many messages wait and until when, or when the next card is looked at; times
    in ``time_zone``. ``None`` as long as cards are being checked, or what is due is being sent."""
    if cards_to_check(conn, now):
        return None
    count, first = unended(conn)
    if count and first is not None:
        if first <= now:
            return None
        some = "1 message waits" if count == 1 else f"{count} messages wait, the first"
        return f"{some} until {local(first, time_zone)}: vigencia messages list tells for what"
    coming = next_look(conn)
    if coming is None:
        return "There are no cards to watch yet: vigencia cards import"
    return f"Nothing is due; the next look at a card is at {local(coming, time_zone)}"
