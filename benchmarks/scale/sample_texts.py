"""The texts of notices as they are kept, from the real templates: their length is what counts."""

from collections.abc import Iterator, Sequence
from typing import Any

from worker.content.render import Content
from worker.content.samples import sample_letter
from worker.core.cards import Channel, Language
from worker.paths import templates_dir


def texts(languages: Sequence[Language]) -> Iterator[dict[str, Any]]:
    """A row for each language and channel."""
    content = Content.load(templates_dir())
    for number, language in enumerate(languages):
        letter = sample_letter("plan_end_near", language)
        sms, email = content.sms(letter), content.email(letter)
        yield {"language": number, "channel": Channel.SMS.value, "subject": "", "body": sms.text,
               "segments": sms.segments.segments}  # fmt: skip
        yield {"language": number, "channel": Channel.EMAIL.value, "subject": email.subject,
               "body": email.text, "segments": None}  # fmt: skip
