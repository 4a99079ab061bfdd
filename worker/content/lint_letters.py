"""What letters cost, and what they must say: date, tail and the way out."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any, Final

from worker.content.bounds import begin
from worker.content.dates import full_date, long_date, short_date
from worker.content.environment import build
from worker.content.errors import TemplateError
from worker.content.events import LOW, parts_of
from worker.content.findings import Finding, Severity
from worker.content.letter import Letter
from worker.content.lint_cases import mail_cases, sms_cases
from worker.content.lint_truth import mail_truth, sms_truth, subject_truth
from worker.content.render import Content
from worker.content.sources import SHARED, template_name
from worker.content.tidy import one_line
from worker.core.cards import Language
from worker.core.operators import OperatorPack
from worker.core.segments import GSM_BASIC, GSM_EXTENSION, Segments, measure
from worker.core.tokens import sample_link
from worker.core.wording import ALL_EVENTS, GUARDIAN_EVENT

# What a text of ours must fit with; what does not fit with longer names is the configuration's.
_SIGNATURE: Final = "Vigencia"
_OPERATOR: Final = "Movistar"
# The address of a host of 20 characters.
_LINK: Final = sample_link("https://reminders.example.co")
_GSM: Final = GSM_BASIC | GSM_EXTENSION
_LATIN: Final = (Language.ES_PE, Language.EN)

# Severity, rule and message.
_Flaw = tuple[Severity, str, str]


@dataclass(frozen=True, slots=True)
class Letters:
    """The templates with the ``signature``, the operators and the address of the configuration."""

    content: Content
    signature: str
    packs: tuple[OperatorPack, ...]
    events: tuple[str, ...] = ALL_EVENTS
    public_url: str | None = None

    def check(self) -> list[Finding]:
        """Render all there is to render; every flaw once for each template."""
        found: dict[tuple[str, str], Finding] = {}
        link = sample_link(self.public_url) if self.public_url else _LINK
        ways_out = {
            (language, end, replies): self._way_out(language, end, replies)
            for language, end, replies in product(Language, (None, link), (True, False))
        }
        names = [*(pack.name for pack in self.packs), _OPERATOR]
        for event, language in product(self.events, Language):
            for part in parts_of(event):
                name = template_name(event, language, part)
                if name not in self.content.templates:
                    continue  # told already
                cases = partial(sms_cases, link=link) if part == "sms.txt" else mail_cases
                for letter in cases(event, language, tuple(dict.fromkeys(names))):
                    out = ways_out[language, letter.way_out, letter.replies]
                    for one in self._flaws(letter, name, part, out):
                        found.setdefault((one.file, one.rule), one)
        return list(found.values())

    def _flaws(self, letter: Letter, name: str, part: str, out: str | None) -> Iterator[Finding]:
        letter = replace(letter, signature=self.signature)
        key = f"{letter.notices[0].event} {letter.language}"
        try:
            text = self.content.part(letter, part)
        except TemplateError as error:
            yield Finding(error.file, error.line or 0, "error", "render", key, error.what)
            return
        if part == "sms.txt":
            flaws = [*self._cost(letter, one_line(text)), *_sms_says(letter, text, out)]
            untrue = sms_truth(letter, one_line(text))
        else:
            flaws = [*_mail_says(letter, text, part)]
            untrue = (subject_truth if part == "subject.txt" else mail_truth)(letter, text)
        flaws += [("error", rule, what) for rule, what in untrue]
        for severity, rule, what in flaws:
            yield Finding(name, 0, severity, rule, key, what)

    def _way_out(self, language: Language, link: str | None, replies: bool) -> str | None:
        """What ends every SMS of a language: ``out`` of its shared file, with a ``link`` or, where
        ``replies`` arrive, with the word to answer."""
        name = f"{SHARED}/{language}/sms.j2"
        begin(name)
        try:
            module: Any = build(self.content.sources, html=False).get_template(name).module
            return str(module.out(link, replies)) or None
        except Exception:  # whatever is wrong with it is told where it is compiled
            return None

    def _cost(self, letter: Letter, text: str) -> Iterator[_Flaw]:
        cost, first = measure(text), letter.notices[0]
        if cost.segments > 1:
            ours = replace(letter, signature=_SIGNATURE, way_out=letter.way_out and _LINK)
            named = replace(first, operator=_OPERATOR)
            plain = replace(ours, notices=(named, *letter.notices[1:]))
            if self._segments(plain).segments > 1:
                yield "error", "segments", f"{cost.units} units, {cost.segments} segments: {text}"
            elif self._segments(ours).segments > 1:
                what = f"the operator's name {first.operator!r} makes it {cost.segments} segments"
                yield "warning", "segments", f"{what} ({cost.units} units)"
            elif self._segments(replace(ours, way_out=letter.way_out)).segments > 1:
                what = f"links below {self.public_url} make it {cost.segments} segments"
                yield "warning", "segments", f"{what} ({cost.units} units): a shorter address helps"
            else:
                what = f"the signature {letter.signature!r} makes it {cost.segments} segments"
                yield "warning", "segments", f"{what} ({cost.units} units)"
        if letter.language in _LATIN and cost.encoding != "GSM-7":
            odd = "".join(sorted(set(text) - _GSM))
            ours_not = letter.signature + first.operator + (letter.way_out or "")
            named_odd = set(odd) <= set(ours_not)
            where = " (of the signature or an operator)" if named_odd else ""
            yield (
                "warning" if named_odd else "error",
                "gsm-7",
                f"{odd}{where} is not in GSM-7, so that 160 characters become 70",
            )

    def _segments(self, letter: Letter) -> Segments:
        return self.content.sms(letter).segments


def _sms_says(letter: Letter, text: str, out: str | None) -> Iterator[_Flaw]:
    first, language = letter.notices[0], letter.language
    for notice in letter.notices:
        if notice.tail not in text:
            yield "error", "tail", "does not say which cards: a tail of tails is missing"
            break
    days = (first.ends_on, None if first.event in LOW else first.deadline_on)
    known = [short_date(day, language) for day in days if day is not None]
    if known and not any(day in text for day in known):
        yield "error", "date", f"names no date: neither of {', '.join(known)} is in it"
    if not out or out not in text:
        yield "error", "way-out", f"does not say how to stop: out of {SHARED}/{language}/sms.j2"
    if letter.signature not in text:
        yield "error", "signature", "does not say who writes: signature is missing"
    if "None" in text or "{{" in text:
        yield "error", "leftover", f"shows what is not known: {one_line(text)}"


def _mail_says(letter: Letter, text: str, part: str) -> Iterator[_Flaw]:
    first, language = letter.notices[0], letter.language
    guardian = first.event == GUARDIAN_EVENT
    if first.tail not in text and not (guardian and part == "subject.txt"):
        yield "error", "tail", "does not say which card: first.tail is missing"
    if "None" in text or "{{" in text:
        yield "error", "leftover", "shows what is not known"
    if part == "subject.txt":
        return
    days = [first.ends_on, None if first.event in LOW else first.deadline_on]
    known = [day for day in days if day is not None]
    if known and not any(
        words in text
        for day in known
        for words in (long_date(day, language), full_date(day, language))
    ):
        yield "error", "date", "names no date"
    if letter.unsubscribe and letter.unsubscribe not in text and not guardian:
        yield "error", "way-out", "does not say how to stop: unsubscribe is missing"
