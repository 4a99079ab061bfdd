"""What a provider shows when it is asked is as good as what it reports by itself."""

from datetime import datetime
from uuid import UUID

from worker.core.reports import Report
from worker.providers.base import Sighting


def as_report(
    sighting: Sighting, provider: str, attempt: UUID, at: datetime | None = None
) -> Report:
    """A sighting of ``attempt`` in its provider's list as the report that may have been lost: it
    has the same ``event_id``, so each status counts once."""
    code = sighting.error_code
    return Report(
        provider=provider,
        event_id=f"{sighting.provider_id}:{sighting.status}",
        status=sighting.status,
        attempt=attempt,
        provider_id=sighting.provider_id,
        code=str(code) if code else None,
        occurred_at=at,
    )
