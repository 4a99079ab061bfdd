"""What a provider is and can do: all that the rest of the program knows of it.

Each provider's package declares itself in ``provider.py``; ``registry`` is the one list of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from worker.core.cards import Channel
from worker.core.outcomes import Row
from worker.core.reports import News, Report
from worker.providers.base import Provider
from worker.providers.given import Configured, Given
from worker.providers.transport import Transport
from worker.providers.webhooks import Webhook


@dataclass(frozen=True, slots=True)
class Silence:
    """How a provider says that a reader wants no more, or wants messages again.

    ``codes``: ends of attempts that say so (``<name>:21610``); ``statuses``: of reports. Of the
    ``codes``, ``taken_back`` are those that end when one of the statuses ``resumed`` is reported; a
    complaint is not among them.
    """

    codes: frozenset[str] = frozenset()
    statuses: frozenset[str] = frozenset()
    taken_back: frozenset[str] = frozenset()
    resumed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Remark:
    """What is found out about an account, for people; ``hint`` is the next step if there is one."""

    level: Literal["ok", "warning", "error"]
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A GET that sends nothing and costs nothing, to ask whether a provider knows us. ``read`` says
    what its answer shows; ``names``: the settings to correct if it does not know us."""

    url: str
    authorization: str = field(repr=False)
    names: str
    read: Callable[[Mapping[str, Any]], Remark]


# An account of this provider's, as its own ``configure`` makes it.
Open = Callable[[Any, Transport, Callable[[], datetime]], Provider[Any]]


@dataclass(frozen=True, slots=True)
class Declaration:
    """One provider.

    ``name`` stands in tables, metrics, settings and codes, ``title`` in what people read.
    ``channels``: what it carries; a guardian's digest goes by email. ``own_url``: where its API is,
    ``None`` for one that stands wherever its owner put it.

    ``configure`` makes an account of what is set, or ``None`` where nothing is, and adds what is
    wrong to a list; ``open`` makes the client of an account. ``question`` asks whether the provider
    knows the account, or says why it is not asked. ``pace``: segments a second that it takes from a
    sender of ours, ``None`` for no bound.

    ``row``: what its table says of the code of an end, without the name before it (``30003``);
    ``None`` for what no row knows, such as an HTTP status without a code. ``news``: what a report
    means, ``None`` for what is nothing to us. ``statuses``: the words of its reports.
    ``webhooks``: where it calls us; ``lack``: what is not set, and makes its calls refused. Raises
    ``ConfigError`` for what is set wrongly.

    ``confirms_delivery``: does it report that a message arrived, so that silence means something?
    ``searchable``: can it be asked what it took? ``hears``: can it be asked what people wrote to
    us? ``reports_ours_only``: are its reports of messages of ours alone, and of none that others
    send through the same account? Then one that names no attempt of ours waits for it.
    """

    name: str
    title: str
    channels: frozenset[Channel]
    own_url: str | None
    configure: Callable[[Given, list[str]], Configured | None]
    open: Open
    question: Callable[[Any], Question | Remark]
    row: Callable[[str], Row | None]
    news: Callable[[Report], News | None]
    statuses: frozenset[str] = frozenset()
    webhooks: Sequence[Webhook] = ()
    lack: Callable[[Given], Remark | None] = lambda _: None
    pace: Callable[[str], float | None] = lambda _: None
    silence: Silence = Silence()
    confirms_delivery: bool = False
    searchable: bool = False
    hears: bool = False
    reports_ours_only: bool = False

    @property
    def prefix(self) -> str:
        """How the names of its variables begin."""
        return f"{self.name.upper()}_"
