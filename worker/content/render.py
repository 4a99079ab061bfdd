"""Rendering: a letter in, an SMS or an email out."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, Template

from worker.content.bounds import begin
from worker.content.compiled import HTML, TEXT, Code, Compiled
from worker.content.environment import build, explain
from worker.content.errors import TemplateError
from worker.content.events import parts_of
from worker.content.letter import Letter
from worker.content.samples import sample_letters
from worker.content.sources import (
    Sources,
    compile_mjml,
    read_sources,
    template_name,
    template_names,
)
from worker.content.tidy import one_line, variables
from worker.core.segments import Segments, measure
from worker.core.wording import ALL_EVENTS
from worker.errors import ConfigError

_BLANK_LINES: Final = re.compile(r"\n[ \t]*\n\s*")


@dataclass(frozen=True, slots=True)
class RenderedSms:
    """An SMS on one line."""

    text: str

    @property
    def segments(self) -> Segments:
        """What it costs."""
        return measure(self.text)


@dataclass(frozen=True, slots=True)
class RenderedEmail:
    """An email; ``subject`` is one line, ``text`` ends with a newline, ``html`` is a document."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Content:
    """Every template, compiled, by its name. Safe to share between threads."""

    templates: Mapping[str, Template]
    sources: Sources
    compiled: Compiled = field(repr=False)

    @classmethod
    def load(cls, directory: Path) -> "Content":
        """Compile and try every template below ``directory``, so that sending finds no surprise.

        Raises ``ConfigError`` with file and line for a missing file, a mistake of syntax, a
        variable that no letter has, or anything the sandbox forbids.
        """
        content, errors = cls.collect(directory)
        for error in errors:
            raise error
        content.try_out(sample_letters())
        return content

    @classmethod
    def collect(cls, directory: Path) -> "tuple[Content, list[TemplateError]]":
        """Compile all that can be compiled; returns that, and every error."""
        sources, errors = read_sources(directory)
        converted, wrong = compile_mjml(sources, build(sources, html=False))
        broken = {error.file for error in [*errors, *wrong]}
        content, uncompiled = cls._from(Compiled(sources, converted), broken)
        return content, [*errors, *wrong, *uncompiled]

    @classmethod
    def restore(cls, compiled: Compiled) -> "Content":
        """The content that ``compiled`` was taken from; nothing is compiled or tried again."""
        content, _ = cls._from(compiled, frozenset())
        return content

    @classmethod
    def _from(
        cls, compiled: Compiled, broken: Collection[str]
    ) -> "tuple[Content, list[TemplateError]]":
        sources, known = compiled.sources, compiled.code
        codes = {TEXT: Code(known.get(TEXT)), HTML: Code(known.get(HTML))}
        text = build(sources, html=False, code=codes[TEXT])
        html = build(compiled.converted, html=True, code=codes[HTML])
        errors: list[TemplateError] = []
        templates = {}
        for name in template_names():
            if name in sources and name not in broken:
                try:
                    environment = html if name.endswith(".mjml.j2") else text
                    templates[name] = _compile(environment, name, sources)
                except TemplateError as error:
                    errors.append(error)
        # What a template includes is compiled when it is first rendered, into the same mappings.
        kept = Compiled(
            sources, compiled.converted, {name: one.code for name, one in codes.items()}
        )
        return cls(templates, sources, kept), errors

    def sms(self, letter: Letter) -> RenderedSms:
        """Render the SMS for ``letter``; raises ``ConfigError`` if its template cannot."""
        return RenderedSms(one_line(self._render(letter, "sms.txt", variables(letter))))

    def email(self, letter: Letter) -> RenderedEmail:
        """Render the email for ``letter``; raises ``ConfigError`` if a template cannot."""
        values = variables(letter)
        text = _BLANK_LINES.sub("\n\n", self._render(letter, "email.txt", values)).strip()
        return RenderedEmail(
            subject=one_line(self._render(letter, "subject.txt", values)),
            text=text + "\n",
            html=self._render(letter, "email.mjml", values),
        )

    def try_out(self, letters: Iterable[Letter]) -> None:
        """Render ``letters`` in all parts; raises ``ConfigError`` for an empty result too."""
        for letter in letters:
            event = letter.notices[0].event
            email = self.email(letter)
            texts = {"subject.txt": email.subject}
            if "sms.txt" in parts_of(event):
                texts["sms.txt"] = self.sms(letter).text
            for part, text in texts.items():
                if not text:
                    name = template_name(event, letter.language, part)
                    raise TemplateError(name, None, "comes out empty")

    def part(self, letter: Letter, part: str) -> str:
        """Render one template of ``letter``, such as ``email.txt``, and nothing else."""
        return self._render(letter, part, variables(letter))

    def _render(self, letter: Letter, part: str, values: Mapping[str, Any]) -> str:
        name = template_name(letter.notices[0].event, letter.language, part)
        template = self.templates.get(name)
        if template is None:
            raise ConfigError(
                f"{name}: there is no such template", f"events are {', '.join(ALL_EVENTS)}"
            )
        try:
            begin(name)
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
    begin(name)
    try:
        return environment.get_template(name)
    except Exception as error:  # syntax is not all that can be wrong: a constant may be too
        raise explain(error, name, sources) from None
