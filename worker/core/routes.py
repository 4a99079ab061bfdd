"""Routes: what an SMS to a number may look like on its way there."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from worker.core.cards import Language

_PREFIX = re.compile(r"\+\d{0,6}")
_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")
_KEYS = frozenset({"prefix", "languages", "fallback", "per_day", "templates", "replies"})
# 70 characters are too few for a notice and a link.
NO_ROOM = frozenset({Language.ZH_HANS, Language.ZH_HANT})
# What a registered text may be given, by the names a template of ours uses.
PARAMETERS = ("signature", "operator", "tail", "days", "date", "others")


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


def parse_routes(data: Mapping[str, Any]) -> tuple[Routes, list[str]]:
    """Read all routes from their TOML ``data``; returns those that are right, and all errors.

    Errors read ``key: what is wrong``, ready to be shown after the file's name.
    """
    errors = [f"{key}: not known here; write [[route]]" for key in data.keys() - {"route"}]
    entries = data.get("route", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return Routes(), [*errors, "route: write [[route]] with prefix and languages"]
    routes = [route for n, entry in enumerate(entries, 1) if (route := _route(n, entry, errors))]
    counts = Counter(route.prefix for route in routes)
    errors += [f"route {prefix}: there {n} times" for prefix, n in counts.items() if n > 1]
    return Routes(tuple(sorted(routes, key=lambda route: -len(route.prefix)))), errors


def _route(number: int, entry: Mapping[str, Any], errors: list[str]) -> Route | None:
    prefix = entry.get("prefix")
    where = f"route {prefix if isinstance(prefix, str) else number}"
    wrong = [f"{where}.{key}: not known here" for key in entry.keys() - _KEYS]
    if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix):
        wrong.append(f"{where}.prefix: {prefix!r} is not the beginning of a number, such as +51")
    languages = [_language(value) for value in _list(entry.get("languages"))]
    if not languages or None in languages:
        wrong.append(f"{where}.languages: write some of {', '.join(Language)}")
    fallback = _language(entry.get("fallback"))
    if "fallback" in entry and fallback not in languages:
        wrong.append(f"{where}.fallback: it must be one of the languages of the route")
    per_day = entry.get("per_day")
    if per_day is not None and (type(per_day) is not int or per_day < 1):
        wrong.append(f"{where}.per_day: {per_day!r} is not a whole number above 0")
    replies = entry.get("replies", True)
    if type(replies) is not bool:
        wrong.append(f"{where}.replies: write true or false")
    templates = _templates(where, entry.get("templates", {}), wrong)
    errors += wrong
    if wrong:
        return None
    found = frozenset(language for language in languages if language)
    return Route(str(prefix), found, fallback, per_day, templates, replies)


def _templates(where: str, data: Any, wrong: list[str]) -> dict[tuple[str, Language], Registered]:
    found: dict[tuple[str, Language], Registered] = {}
    if not isinstance(data, dict):
        wrong.append(f"{where}.templates: write [route.templates.<event>]")
        return found
    for event, texts in data.items():
        for name, text in texts.items() if isinstance(texts, dict) else ():
            key, language = f"{where}.templates.{event}.{name}", _language(name)
            text = text if isinstance(text, dict) else {}
            name_of, parameters = text.get("id"), _list(text.get("parameters"))
            if language is None or not isinstance(name_of, str):
                wrong.append(f"{key}: write a language, and below it id and parameters")
            elif not all(parameter in PARAMETERS for parameter in parameters):
                wrong.append(f"{key}.parameters: known are {', '.join(PARAMETERS)}")
            else:
                found[event, language] = Registered(name_of, tuple(parameters))
    return found


def _language(value: Any) -> Language | None:
    return Language(value) if value in set(Language) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
