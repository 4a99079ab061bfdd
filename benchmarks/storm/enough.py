"""When a storm has seen enough to prove something."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from benchmarks.storm.plan import Blow


@dataclass(frozen=True, slots=True)
class Seen:
    """What has happened so far. ``faults``: answers that the sandbox spoiled; ``blows``: how often
    each was struck."""

    due: int
    kills: int
    faults: int
    blows: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Enough:
    """A storm plays until so much has happened, and every blow was struck once; or until ``limit``
    real seconds are over, and then it proves nothing."""

    due: int = 1000
    kills: int = 100
    faults: int = 100
    limit: float = 3600.0

    def missing(self, seen: Seen, wanted: Collection[Blow] = tuple(Blow)) -> list[str]:
        """In words what has not happened often enough; empty once it is enough."""
        counts = (
            ("notices due", seen.due, self.due),
            ("kills", seen.kills, self.kills),
            ("faults", seen.faults, self.faults),
        )
        found = [f"{have} of {want} {what}" for what, have, want in counts if have < want]
        return found + [f"no {blow.value}" for blow in wanted if not seen.blows.get(blow)]

    def share(self, seen: Seen) -> float:
        """How far it has come, from 0 to 1: as far as what is rarest."""
        counts = ((seen.due, self.due), (seen.kills, self.kills), (seen.faults, self.faults))
        return min(min(have / want, 1.0) if want else 1.0 for have, want in counts)
