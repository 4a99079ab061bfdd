"""Texts and rules: what will people read, and when? To look at only: they are files."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from worker.content.events import parts_of
from worker.content.letter import Letter
from worker.content.render import Content
from worker.content.samples import sample_letter
from worker.core.cards import Language
from worker.core.operators import OperatorPack
from worker.core.segments import Segments
from worker.core.wording import ALL_EVENTS, GUARDIAN_EVENT, LIFE_EVENTS, kind_of
from worker.errors import ConfigError
from worker.web.console.message import FRAMED_POLICY
from worker.web.console.shell import ConsolePage, Shell
from worker.web.console.visit import Visit

_SMS: Final = "sms.txt"


@dataclass(frozen=True, slots=True)
class TextRow:
    """An event with what its SMS costs in each language (``None``: it has none). ``deadline``: what
    it warns of; else it tells of something that has happened to a card."""

    event: str
    deadline: str | None
    costs: dict[str, Segments | None]


@dataclass(frozen=True, slots=True)
class PackFact:
    """A value that is known of an operator, and for how many ``days`` nobody has looked."""

    what: str
    value: int | str
    source: str
    checked_on: date
    days: int


def pages(shell: Shell) -> list[ConsolePage]:
    """The addresses."""
    own = TextsPages(shell)
    return [
        ConsolePage("GET", "/texts", own.look),
        ConsolePage("GET", "/texts/one", own.one),
        ConsolePage("GET", "/texts/email", own.email),
    ]


class TextsPages:
    """Answers for them."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._rows: list[TextRow] = []

    def look(self, visit: Visit) -> Response:
        """All of them: the texts by event and language, the windows, and what operators do."""
        rules, wrong = self._shell.app.rules, ""
        try:
            # Texts do not change while a process runs.
            self._rows = self._rows or [self._row(event) for event in ALL_EVENTS]
        except ConfigError as error:
            wrong = str(error)
        today = self._shell.book_day(visit.now)
        return self._shell.page(
            visit,
            "texts",
            rows=self._rows,
            wrong=wrong,
            languages=[one.value for one in Language],
            policies=[rules.policies[kind] for kind in sorted(rules.policies)],
            packs=[(one.name, _facts(one, today)) for _, one in sorted(rules.packs.items())],
            card_day=today,
        )

    def one(self, visit: Visit) -> Response:
        """One text as its reader sees it, on the sample card."""
        event, language = _asked(visit)
        letter = self._letter(event, language)
        sms = self._content().sms(letter) if _SMS in parts_of(event) else None
        return self._shell.page(
            visit,
            "text",
            event=event,
            deadline=_deadline(event),
            language=language.value,
            languages=[one.value for one in Language],
            sms=sms.text if sms else None,
            measured=sms.segments if sms else None,
            subject=self._content().email(letter).subject,
        )

    def email(self, visit: Visit) -> Response:
        """The email of it as a page of its own, which is framed."""
        email = self._content().email(self._letter(*_asked(visit)))
        return HTMLResponse(email.html, headers={"Content-Security-Policy": FRAMED_POLICY})

    def _row(self, event: str) -> TextRow:
        costs: dict[str, Segments | None] = {}
        for language in Language:
            has_sms = _SMS in parts_of(event)
            letter = self._letter(event, language)
            costs[language.value] = self._content().sms(letter).segments if has_sms else None
        return TextRow(event, _deadline(event), costs)

    def _letter(self, event: str, language: Language) -> Letter:
        signature = self._shell.app.settings.book.signature
        return replace(sample_letter(event, language), signature=signature)

    def _content(self) -> Content:
        return self._shell.app.content


def _asked(visit: Visit) -> tuple[str, Language]:
    event, language = visit.query.get("event", ""), visit.query.get("language", "")
    if event not in ALL_EVENTS or language not in {one.value for one in Language}:
        raise HTTPException(404)
    return event, Language(language)


def _deadline(event: str) -> str | None:
    if event in LIFE_EVENTS or event == GUARDIAN_EVENT:
        return None
    return kind_of(event).value


def _facts(pack: OperatorPack, today: date) -> list[PackFact]:
    named: list[tuple[str, Any]] = [
        (rung.value, fact) for rung, facts in pack.rungs.items() for fact in facts
    ]
    named += pack.contacts.items()
    named += [(way.value, fact) for way, facts in pack.ways.items() for fact in facts]
    return [
        PackFact(what, one.value, one.source, one.checked_on, max(0, (today - one.checked_on).days))
        for what, one in named
    ]
