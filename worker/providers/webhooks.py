"""What providers call us with: did a provider send it, and what does it say?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from worker.core.optout import Said
from worker.core.reports import Report
from worker.providers.given import Given


class ForgedError(Exception):
    """The call is not, or not certainly, the provider's. The text is for the log."""


class TooMuchError(Exception):
    """The call says more than a provider's ever does."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it came in. ``url``: what was called, under our public address and never by what
    headers say of host and scheme; ``None`` where we have none. ``headers`` by their names in lower
    case; ``query_string``: what follows the question mark, as it was written. What was signed
    before ``oldest`` is refused."""

    url: str | None
    headers: Mapping[str, Sequence[str]]
    query: Mapping[str, str]
    body: bytes
    now: datetime
    oldest: datetime
    method: str = "POST"
    query_string: str = ""

    def header(self, name: str) -> str:
        """The value of a header that is there once. Raises ``ValueError``."""
        [value] = self.headers.get(name, ())
        return value


@dataclass(frozen=True, slots=True)
class Inbound:
    """A message that somebody wrote to us. ``read``: what the provider has read in it."""

    provider_id: str
    sender: str
    text: str
    read: Said | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What a call says; ``ignored``: how much in it is nothing to us."""

    reports: Sequence[Report] = ()
    inbound: Sequence[Inbound] = ()
    ignored: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider is answered once all is stored."""

    status: int = 204
    body: str = ""
    media_type: str | None = None


@dataclass(frozen=True, slots=True)
class Webhook:
    """One address that a provider calls.

    ``verify`` raises ``ForgedError`` unless the provider sent the call, with whatever exception may
    stand behind that; ``parse`` reads one that is genuine. ``content_type``: the only one that is
    taken, if that matters. ``ignored``: what the log calls that which is nothing to us.
    ``methods``: how the provider calls; some let an account choose.
    """

    path: str
    verify: Callable[[Given, Call], None]
    parse: Callable[[Call], Told]
    content_type: str | None = None
    ignored: str = "not ours"
    answer: Answer = Answer()
    methods: Sequence[Literal["GET", "POST"]] = ("POST",)


def as_uuid(text: object) -> UUID | None:
    """``text`` as the id of an attempt, ``None`` if it is none."""
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None
