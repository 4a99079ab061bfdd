"""``routes.toml``: what an SMS to a number may look like on its way there."""

from collections import Counter
from typing import Annotated, Any, get_args

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from worker.core.cards import Language
from worker.core.routes import Parameter, Registered, Route, Routes
from worker.tables import Table, Text, located

_Language = Annotated[Language, Field(strict=False)]


class _Registered(Table):
    id: Text = Field(description="the id that the provider gave the text is missing")
    parameters: list[Parameter] = Field(
        [], description=f"write some of {', '.join(get_args(Parameter))}"
    )


class _Route(Table):
    prefix: str = Field(
        pattern=r"^\+\d{0,6}$",
        description="{value} is not the beginning of a number, such as +51",
    )
    languages: list[_Language] = Field(
        min_length=1, description=f"write some of {', '.join(Language)}"
    )
    fallback: _Language | None = Field(None, description="it must be a language of the route")
    per_day: int | None = Field(None, ge=1, description="{value} is not a whole number above 0")
    templates: dict[str, dict[_Language, _Registered]] = Field(
        {}, description="write [route.templates.<event>], and below it languages"
    )
    replies: bool = Field(True, description="write true or false")

    @field_validator("fallback")
    @classmethod
    def _arrives(cls, value: Language | None, info: ValidationInfo) -> Language | None:
        if value not in (None, *info.data.get("languages", Language)):
            raise ValueError("it must be a language of the route")
        return value

    def route(self) -> Route:
        texts = {
            (event, language): Registered(text.id, tuple(text.parameters))
            for event, languages in self.templates.items()
            for language, text in languages.items()
        }
        known = frozenset(self.languages)
        return Route(self.prefix, known, self.fallback, self.per_day, texts, self.replies)


def _by_prefix(entries: Any) -> Any:
    """The routes by their prefix, so that a mistake in one is told with it."""
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return entries
    names = [str(entry.get("prefix", number)) for number, entry in enumerate(entries, 1)]
    if several := [(name, n) for name, n in Counter(names).items() if n > 1]:
        raise located(((name,), f"there {n} times") for name, n in several)
    return dict(zip(names, entries, strict=True))


class RouteFile(Table):
    """The whole file."""

    route: Annotated[dict[str, _Route], BeforeValidator(_by_prefix)] = Field(
        {}, description="write [[route]] with prefix and languages"
    )

    def routes(self) -> Routes:
        """All of them, the longest prefix first."""
        found = [each.route() for each in self.route.values()]
        return Routes(tuple(sorted(found, key=lambda route: -len(route.prefix))))
