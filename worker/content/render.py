"""Rendering: a letter in, an SMS or an email out."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, Template

from worker.content.environment import build, explain
from worker.content.letter import Letter
from worker.content.samples import sample_letters
from worker.content.sources import PARTS, Sources, compile_mjml, read_sources, template_name
from worker.content.tidy import one_line, variables
from worker.core.cards import Language
from worker.core.segments import Segments, measure
from worker.core.wording import ALL_EVENTS
from worker.errors import ConfigError

_BLANK_LINES: Final = re.compile(r"\n[ \t]*\n\s*")


@dataclass(frozen=True, slots=True)
class Sms:
    """An SMS on one line, and what it costs."""

    text: str
    segments: Segments


@dataclass(frozen=True, slots=True)
class Email:
    """An email; ``subject`` is one line, ``text`` ends with a newline, ``html`` is a document."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Content:
    """Every template, compiled, by its name. Safe to share between threads."""

    templates: Mapping[str, Template]
    sources: Sources

    @classmethod
    def load(cls, directory: Path) -> "Content":
        """Compile and try every template below ``directory``, so that sending finds no surprise.

        Raises ``ConfigError`` with file and line for a missing file, a mistake of syntax, a
        variable that no letter has, or anything the sandbox forbids.
        """
        sources = read_sources(directory)
        text = build(sources, html=False)
        html = build(compile_mjml(sources, text), html=True)
        templates = {
            name: _compile(html if part == "email.mjml" else text, name, sources)
            for event in ALL_EVENTS
            for language in Language
            for part in PARTS
            for name in (template_name(event, language, part),)
        }
        content = cls(templates, sources)
        content.try_out(sample_letters())
        return content

    def sms(self, letter: Letter) -> Sms:
        """Render the SMS for ``letter``; raises ``ConfigError`` if its template cannot."""
        text = one_line(self._render(letter, "sms.txt", variables(letter)))
        return Sms(text, measure(text))

    def email(self, letter: Letter) -> Email:
        """Render the email for ``letter``; raises ``ConfigError`` if a template cannot."""
        values = variables(letter)
        text = _BLANK_LINES.sub("\n\n", self._render(letter, "email.txt", values)).strip()
        return Email(
            subject=one_line(self._render(letter, "subject.txt", values)),
            text=text + "\n",
            html=self._render(letter, "email.mjml", values),
        )

    def try_out(self, letters: Iterable[Letter]) -> None:
        """Render ``letters`` over both channels; raises ``ConfigError`` for an empty result too."""
        for letter in letters:
            email = self.email(letter)
            for part, text in (("sms.txt", self.sms(letter).text), ("subject.txt", email.subject)):
                if not text:
                    name = template_name(letter.notices[0].event, letter.language, part)
                    raise ConfigError(f"{name}: comes out empty")

    def _render(self, letter: Letter, part: str, values: Mapping[str, Any]) -> str:
        name = template_name(letter.notices[0].event, letter.language, part)
        template = self.templates.get(name)
        if template is None:
            raise ConfigError(
                f"{name}: there is no such template", f"events are {', '.join(ALL_EVENTS)}"
            )
        try:
            return template.render(values)
        except Exception as error:  # a template can fail in any way that Python can
            raise self._explain(error, name, values) from None

    def _explain(self, error: Exception, name: str, values: Mapping[str, Any]) -> ConfigError:
        """Explain with lines as they stand in the files: MJML moves those of a layout."""
        if name.endswith(".mjml.j2"):
            try:
                build(self.sources, html=True).get_template(name).render(values)
            except Exception as unmoved:
                return explain(unmoved, name, self.sources)
        return explain(error, name, self.sources)


def _compile(environment: Environment, name: str, sources: Sources) -> Template:
    try:
        return environment.get_template(name)
    except Exception as error:  # syntax is not all that can be wrong: a constant may be too
        raise explain(error, name, sources) from None
