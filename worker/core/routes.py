"""Routes: what an SMS to a number may look like on its way there."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from worker.core.cards import Language

_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")
# 70 characters are too few for a notice and a link.
NO_ROOM = frozenset({Language.ZH_HANS, Language.ZH_HANT})
# What a registered text may be given, by the names a template of ours uses.
Parameter = Literal["signature", "operator", "tail", "days", "date", "others"]


@dataclass(frozen=True, slots=True)
class Registered:
    """A text registered with the carriers: the provider's ``id``, and what fills its gaps."""

    id: str
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Filled:
    """A registered text ready to send: its ``id``, and its parameters by number, from ``"1"``."""

    id: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Route:
    """``languages`` arrive dependably; everybody else reads ``fallback``. ``per_day`` bounds the
    attempts to one number in 24 hours, ``None`` for no bound. ``replies``: do answers arrive?"""

    prefix: str
    languages: frozenset[Language]
    fallback: Language | None = None
    per_day: int | None = None
    templates: Mapping[tuple[str, Language], Registered] = field(default_factory=dict)
    replies: bool = True

    def hears(self, sender: str) -> bool:
        """Does an answer to ``sender`` arrive? To a name none can be sent at all; a messaging
        service (MG and 32 digits) answers from a number of its own."""
        name = any(c.isalpha() for c in sender) and not _SERVICE.fullmatch(sender)
        return self.replies and not name

    def language_for(self, language: Language) -> Language:
        """The language of an SMS to somebody who reads ``language``."""
        if language in self.languages or self.fallback is None:
            return language
        return self.fallback


EVERYWHERE = Route("+", frozenset(Language))


@dataclass(frozen=True, slots=True)
class Routes:
    """All routes, the longest prefix first."""

    routes: tuple[Route, ...] = (EVERYWHERE,)

    def route(self, number: str) -> Route:
        """The route of an E.164 ``number``."""
        for route in self.routes:
            if number.startswith(route.prefix):
                return route
        return EVERYWHERE
