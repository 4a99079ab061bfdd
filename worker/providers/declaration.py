"""What a provider is and can do: all that the rest of the program knows of it.

Each provider's package declares itself in ``provider.py``; ``registry`` is the one list of them.
"""

from collections.abc import Callable
from dataclasses import dataclass

from worker.core.cards import Channel
from worker.core.outcomes import Row
from worker.core.reports import News, Report


@dataclass(frozen=True, slots=True)
class Silence:
    """How a provider says that a reader wants no more, or wants messages again.

    ``codes``: ends of attempts that say so (``twilio:21610``); ``statuses``: of reports. Of the
    ``codes``, ``taken_back`` are those that end when one of the statuses ``resumed`` is reported; a
    complaint is not among them.
    """

    codes: frozenset[str] = frozenset()
    statuses: frozenset[str] = frozenset()
    taken_back: frozenset[str] = frozenset()
    resumed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Declaration:
    """One provider.

    ``name`` stands in tables, metrics, settings and codes, ``title`` in what people read.
    ``channels``: what it carries; a guardian's digest goes by email.

    ``row``: what its table says of the code of an end, without the name before it (``30003``);
    ``None`` for what no row knows, such as an HTTP status without a code. ``news``: what a report
    means, ``None`` for what is nothing to us. ``statuses``: the words of its reports.

    ``confirms_delivery``: does it report that a message arrived, so that silence means something?
    ``searchable``: can it be asked what it took? ``hears``: can it be asked what people wrote to
    us? ``reports_ours_only``: are its reports of messages of ours alone, and of none that others
    send through the same account? Then one that names no attempt of ours waits for it.
    """

    name: str
    title: str
    channels: frozenset[Channel]
    row: Callable[[str], Row | None]
    news: Callable[[Report], News | None]
    statuses: frozenset[str] = frozenset()
    silence: Silence = Silence()
    confirms_delivery: bool = False
    searchable: bool = False
    hears: bool = False
    reports_ours_only: bool = False
