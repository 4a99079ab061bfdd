"""What messages wait for, as commands tell it."""

from typing import Any

from worker.cli.times import local_for
from worker.core.waiting import put_last, waits_for
from worker.setup.app import App


def with_wait(app: App, row: dict[str, Any]) -> dict[str, Any]:
    """The row with what it waits for (``waits_for``) and until when (``waits_until``)."""
    wait = waits_for(put_last(row), app.now(), app.rules.hours, row["holder_time_zone"])
    return {
        **{name: value for name, value in row.items() if name not in ("obstacle", "fault")},
        "waits_for": wait.why if wait else None,
        "waits_until": wait.until if wait else None,
    }


def why(row: dict[str, Any]) -> str | None:
    """Why a message is where it is, as a person reads it; times in the book's zone."""
    if not row["waits_for"]:
        return None if row["reason"] is None else str(row["reason"])
    if row["waits_until"] is None:
        return str(row["waits_for"])
    at = local_for(row["waits_until"], row["book_time_zone"], row["holder_time_zone"])
    return f"at {at}: {row['waits_for']}"
