"""What time it is in the sandbox: the system's clock, or an instant that a file holds."""

from datetime import UTC, datetime
from pathlib import Path

from worker.errors import ConfigError


class Clock:
    """Tells the time; ``file`` holds one ISO 8601 instant with its UTC offset.

    The file is read at every call, so that whoever writes it moves the sandbox through time.
    Raises ``ConfigError`` at the start when the file cannot be read as an instant.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._last = datetime.now(UTC)
        if file is not None:
            try:
                self._last = _instant(file)
            except (OSError, ValueError) as error:
                raise ConfigError(
                    f"The clock file {file.name} does not hold an instant: {error}",
                    hint="Write one such as 2026-01-31T12:00:00+00:00 into it.",
                ) from error

    def now(self) -> datetime:
        """The present instant in UTC."""
        if self._file is None:
            return datetime.now(UTC)
        try:
            self._last = _instant(self._file)
        except (OSError, ValueError):
            # The writer may be half way through; time stands still for this call.
            return self._last
        return self._last


def _instant(file: Path) -> datetime:
    moment = datetime.fromisoformat(file.read_text(encoding="utf-8").strip())
    if moment.tzinfo is None:
        raise ValueError("it has no UTC offset")
    return moment.astimezone(UTC)
