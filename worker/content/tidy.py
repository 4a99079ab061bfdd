"""Values a person typed, made harmless for any text: one line, nothing invisible."""

import re
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from worker.content.letter import Letter, Notice, OperatorGuide

# Control characters could end an SMS or a header line; bidirectional controls and the like could
# show a date or a name backwards; lone surrogates cannot be encoded at all. Joiners (U+200C and
# U+200D) stay: names in some scripts need them.
_UNSAFE: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    r"\ufff9-\ufffb\ud800-\udfff]"
)
# In values joined by ``|``: what is unsafe, blanks that ``one_line`` takes away, and empty values.
_UNTIDY: Final = re.compile(rf"{_UNSAFE.pattern}|[^\S ]|  |\| | \||\|\|")
_BREAKS: Final = re.compile(r"[\t\n\v\f\r\x1c-\x1f\x85\u2028\u2029]+")


def one_line(value: str) -> str:
    """Return ``value`` on one line, without control characters, whitespace collapsed."""
    if _UNSAFE.search(value):
        value = _UNSAFE.sub("", _BREAKS.sub(" ", value))
    return " ".join(value.split())


def variables(letter: Letter) -> dict[str, Any]:
    """What templates see of ``letter``; raises ``ValueError`` if it has no notice."""
    if not letter.notices:
        raise ValueError("a letter without a notice says nothing")
    notices = tuple([_notice(notice) for notice in letter.notices])
    return {
        "signature": one_line(letter.signature),
        "holder_name": one_line(letter.holder_name),
        "first": notices[0],
        "notices": notices,
        "others": letter.others,
        "tails": tuple([notice.tail for notice in notices]),
        "events": tuple(sorted({notice.event for notice in notices})),
        "guides": tuple([_guide(guide) for guide in letter.guides]),
        "unsubscribe": _optional(letter.unsubscribe),
        "way_out": _optional(letter.way_out),
        "replies": letter.replies,
        "abroad": letter.abroad,
    }


def _notice(notice: Notice) -> Notice:
    """The notice itself if it is tidy, as nearly all are: one look at all values is cheaper."""
    n = notice
    values = (
        f"|{n.operator}|{n.tail}|{n.plan}|{n.deadline_at}|{n.balance}|{n.receipt_ref}|{n.clock}"
        f"|{n.holder}|{n.why}|{n.renewed_link}|{n.tomorrow_link}|{n.works_link}|{n.fails_link}|"
    )
    return _tidied(notice) if _UNTIDY.search(values) else notice


def _tidied(n: Notice) -> Notice:
    return replace(
        n,
        operator=one_line(n.operator),
        tail=one_line(n.tail),
        plan=_optional(n.plan),
        deadline_at=one_line(n.deadline_at),
        clock=_optional(n.clock),
        balance=_optional(n.balance),
        receipt_ref=_optional(n.receipt_ref),
        holder=_optional(n.holder),
        why=_optional(n.why),
        renewed_link=_optional(n.renewed_link),
        tomorrow_link=_optional(n.tomorrow_link),
        works_link=_optional(n.works_link),
        fails_link=_optional(n.fails_link),
    )


@lru_cache(maxsize=256)  # there are a few operators
def _guide(guide: OperatorGuide) -> OperatorGuide:
    return OperatorGuide(
        name=one_line(guide.name),
        hotline=_optional(guide.hotline),
        website=_optional(guide.website),
        checked_on=guide.checked_on,
        app=_optional(guide.app),
        online=_names(guide.online),
        in_person=_names(guide.in_person),
        abroad=_names(guide.abroad),
        phone=_optional(guide.phone),
        topup=_optional(guide.topup),
        travel=guide.travel,
    )


def _names(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for value in values if (name := one_line(value)))


def _optional(value: str | None) -> str | None:
    return (one_line(value) or None) if value else None
