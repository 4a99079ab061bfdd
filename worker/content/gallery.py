"""All texts on one page for each language, for those who read and correct them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from worker.content.events import parts_of
from worker.content.render import Content, RenderedSms
from worker.content.samples import sample_letter
from worker.core.cards import Language
from worker.core.routes import NO_ROOM
from worker.core.segments import GSM_PART, GSM_SINGLE, UCS2_PART, UCS2_SINGLE
from worker.core.tokens import sample_link
from worker.core.wording import ALL_EVENTS

_LINK: Final = sample_link("https://v.example.com")

_HEAD: Final = """\
# Texts in {language}

Made by `make gallery` from [the templates](../../templates/README.md) with sample data; there today
is 12 June 2026. To correct a text, change its template.
"""


def gallery(content: Content) -> dict[str, str]:
    """Pages by file name."""
    return {f"{language}.md": "\n".join(_page(content, language)) for language in Language}


def cost(sms: RenderedSms) -> str:
    """GSM-7, 146 of 160 units, 1 segment."""
    units, segments = sms.segments.units, sms.segments.segments
    single, part = (
        (GSM_SINGLE, GSM_PART) if sms.segments.encoding == "GSM-7" else (UCS2_SINGLE, UCS2_PART)
    )
    room = single if segments == 1 else part * segments
    plural = "segment" if segments == 1 else "segments"
    return f"{sms.segments.encoding}, {units} of {room} units, {segments} {plural}"


def _page(content: Content, language: Language) -> Iterator[str]:
    yield _HEAD.format(language=language)
    for event in ALL_EVENTS:
        letter = sample_letter(event, language)
        yield f"## {event}\n"
        if "sms.txt" in parts_of(event):
            sms = content.sms(letter)
            yield f"SMS ({cost(sms)}):\n"
            yield f"> {sms.text}\n"
            if language not in NO_ROOM:
                linked = content.sms(replace(letter, way_out=_LINK, replies=False))
                yield f"Where replies do not arrive ({cost(linked)}):\n"
                yield f"> {linked.text}\n"
        email = content.email(letter)
        yield f"Subject: {email.subject}\n"
        yield f"```text\n{email.text}```\n"
