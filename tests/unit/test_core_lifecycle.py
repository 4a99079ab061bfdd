"""docs/states.md is the table of the code, and in that table every path can end."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from worker.core.lifecycle import ENDS, LATE, REMINDER_TRANSITIONS, TRANSITIONS, WAYS
from worker.core.reminders import MessageState, ReminderState

_PAGE = (Path(__file__).parents[2] / "docs" / "states.md").read_text(encoding="utf-8")
_ARROW = re.compile(r"^    (\w+) --> (\w+)$", re.MULTILINE)
_DIAGRAM = re.compile(r"```mermaid\nstateDiagram-v2\n(.*?)```", re.DOTALL)
_ROW = re.compile(r"^\| `(\w+)` \| `(\w+)` \| (.*) \|$", re.MULTILINE)
_PARTS = {
    "## Messages": WAYS,
    "### Late reports": LATE,
    "## Reminders": REMINDER_TRANSITIONS,
}


def part(title: str) -> str:
    """The text under a heading, up to the next one of any level."""
    return re.split(r"^#+ ", _PAGE.split(f"\n{title}\n")[1], flags=re.MULTILINE)[0]


@pytest.mark.parametrize("title", _PARTS)
def test_the_page_shows_the_table_of_the_code(title: str) -> None:
    table: Mapping[tuple[str, str], str] = _PARTS[title]  # type: ignore[assignment]
    text = part(title)
    [drawn] = _DIAGRAM.findall(text)
    arrows = _ARROW.findall(drawn)
    assert len(arrows) == len(set(arrows))
    assert set(arrows) == {(str(old), str(new)) for old, new in table}
    rows = {(old, new): why for old, new, why in _ROW.findall(text)}
    assert rows == {(str(old), str(new)): why for (old, new), why in table.items()}


def test_every_state_of_a_message_is_explained_and_its_ends_are_drawn() -> None:
    explained = re.findall(
        r"^\| `(\w+)` \| [^`|][^|]*\|[^|]*\|$", part("## Messages"), re.MULTILINE
    )
    assert explained == [str(state) for state in explained]
    assert set(explained) == set(MessageState)
    ends = re.findall(r"^    (\w+) --> \[\*\]$", part("## Messages"), re.MULTILINE)
    assert set(ends) == {str(end) for end in ENDS}


def test_from_every_state_an_end_is_reached_without_help_from_outside() -> None:
    reached = set(ENDS)
    while more := {old for (old, new) in WAYS if new in reached} - reached:
        reached |= more
    assert reached == set(MessageState)


def test_every_state_is_reached_from_the_first() -> None:
    reached = {MessageState.PENDING}
    while more := {new for (old, new) in WAYS if old in reached} - reached:
        reached |= more
    assert reached == set(MessageState)


def test_a_reminder_ends_in_every_state_but_the_first() -> None:
    ends = set(ReminderState) - {ReminderState.PENDING}
    assert {new for old, new in REMINDER_TRANSITIONS if old is ReminderState.PENDING} == ends


def test_nothing_is_sent_from_an_end_or_by_two_at_once() -> None:
    assert {old for old, new in TRANSITIONS if new is MessageState.SENDING}.isdisjoint(
        {*ENDS, MessageState.SENDING, MessageState.UNKNOWN}
    )
