"""Token buckets: so many tries at once, and so many an hour after that. Nothing is locked for good.

Pure: a bucket and ``now`` go in, and the bucket after a try comes out.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Bucket:
    """How many tries were ``left`` at an instant."""

    left: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``most`` tries in a row, which come back evenly within an hour."""

    most: int

    def take(self, bucket: Bucket, now: datetime) -> Bucket | None:
        """The bucket after one more try, ``None`` where there is none left."""
        passed = max(now - bucket.at, timedelta())
        left = min(float(self.most), bucket.left + self.most * (passed / _HOUR))
        return Bucket(left - 1, now) if left >= 1 else None
