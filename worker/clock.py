"""The only places that ask what time it is. Below the entry points ``now`` is an argument."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The time of this machine, in UTC."""
    return datetime.now(UTC)


def file_clock(path: Path) -> Clock:
    """A clock that stands where ``path`` says (an ISO 8601 instant), for every process that reads
    it: this is how days are fast-forwarded through real processes."""

    def now() -> datetime:
        return datetime.fromisoformat(path.read_text(encoding="utf-8").strip())

    return now


def set_file_clock(path: Path, now: datetime) -> None:
    """Move a file clock; whoever reads meanwhile sees the old time or the new, never a half."""
    fresh = path.with_suffix(".new")
    fresh.write_text(now.astimezone(UTC).isoformat(), encoding="utf-8")
    fresh.replace(path)
