"""Takes a scheduler's hints, and does the work when it is asked to, in this process."""

from collections.abc import Sequence

from worker.core.cards import Channel


class Collector:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.checks: list[Sequence[int]] = []
        self.sends: list[Sequence[int]] = []

    def check_cards(self, ids: Sequence[int]) -> None:
        """Keep it."""
        self.checks.append(ids)

    def send(self, channel: Channel, ids: Sequence[int]) -> None:
        """Keep it."""
        self.sends.append(ids)

    def work_jobs(self, ids: Sequence[int]) -> None: ...

    def is_full(self, channel: Channel | None) -> bool:
        """There is room for all."""
        return False

    def reconcile(self, ids: Sequence[int]) -> None:
        """Nothing is unknown here."""

    def fetch(self, ids: Sequence[int]) -> None:
        """Nobody is asked here."""
