"""The one protocol of the house, since it has several implementations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeVar, runtime_checkable
from uuid import UUID

from worker.core.outcomes import Outcome
from worker.core.routes import Filled

Out = TypeVar("Out", contravariant=True)

# RFC 3834: nobody wrote this by hand, so no absence notice or other robot need answer it.
AUTOMATIC: Final[Mapping[str, str]] = {"Auto-Submitted": "auto-generated"}


@dataclass(frozen=True, slots=True)
class SmsOut:
    """An SMS to hand over. ``valid_for``: how long the provider may queue it. ``template``: the
    registered text to send instead of ``text``, where the route wants one."""

    attempt: UUID
    to: str
    text: str
    valid_for: timedelta
    template: Filled | None = None


@dataclass(frozen=True, slots=True)
class Attached:
    """A file that goes with an email. ``media_type`` is one such as ``text/calendar``, with
    ``parameters`` behind it; a text is UTF-8."""

    filename: str
    media_type: str
    content: bytes
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EmailOut:
    """An email to hand over; ``sender_name`` is the guardian's signature. ``headers``: further
    header lines, such as List-Unsubscribe. ``reply_to``: where answers go, if not to the sender;
    an address of which ``mime.answerable`` is true."""

    attempt: UUID
    to: str
    sender_name: str
    subject: str
    text: str
    html: str
    headers: Mapping[str, str] = field(default_factory=dict)
    reply_to: str | None = None
    attached: Sequence[Attached] = ()


@dataclass(frozen=True, slots=True)
class Sighting:
    """A message the provider's own list shows: ``text`` as it was handed over, as far as that can
    be told, and empty where the list does not show it. ``created_at`` has a second's precision.
    ``attempt``: which of ours it was, where the list says so."""

    provider_id: str
    text: str
    created_at: datetime
    status: str
    error_code: int | str | None
    attempt: UUID | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """A message that somebody wrote to us, as the provider's list shows it. ``sender``: E.164."""

    provider_id: str
    sender: str
    text: str
    written_at: datetime


class Provider(Protocol[Out]):
    """Hands one message over; never raises for what a provider or the network can do."""

    name: str

    @property
    def sender(self) -> str:
        """The number or address that messages come from."""
        ...

    async def send(self, out: Out) -> Outcome:
        """Make one call and say how it ended."""
        ...


@runtime_checkable
class Searchable(Protocol):
    """A provider that can be asked what it took."""

    async def find(self, to: str, since: datetime) -> list[Sighting] | None:
        """The messages to an address that it took from ``since`` on, newest first; some older ones
        do no harm. ``None`` if it cannot tell now, or not of a time so long ago."""
        ...

    async def fetch(self, provider_id: str) -> Sighting | None:
        """One message by the provider's id; ``None`` if it cannot tell now, or has none."""
        ...


@runtime_checkable
class Hearing(Protocol):
    """A provider that can be asked what people wrote to our sender."""

    async def written_to_us(self, since: datetime) -> list[Written] | None:
        """What people wrote to our sender from ``since`` on, oldest first; ``None`` if it cannot
        tell now."""
        ...
