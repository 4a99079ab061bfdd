"""What every command shares: its options, its one JSON document, its tables."""

import json
import sys
import unicodedata
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import click

from worker.core.cards import Language
from worker.setup.terminal import columns, shows_all_letters

as_json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on stdout."
)


# Between two columns of a table, and before the rest of a row that is too long for the terminal.
_GAP, _INDENT = "  ", "    "

# As plain words: of an enum click would offer the names (ZH_HANS), not the values (zh-Hans).
LANGUAGES = [language.value for language in Language]


class InstantParam(click.ParamType[datetime]):
    """An ISO 8601 instant with its UTC offset, such as 2026-06-05T15:00:00Z."""

    name = "instant"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Parse it; a time without an offset could mean two instants, so it is refused."""
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not an instant; write 2026-06-05T15:00:00Z", param, ctx)
        if moment.tzinfo is None:
            self.fail(f"{value!r} has no UTC offset; write 2026-06-05T15:00:00Z", param, ctx)
        return moment.astimezone(UTC)


class DayParam(click.ParamType[date]):
    """A day such as 2026-06-05."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Parse it; a word or another order of day and month is refused."""
        try:
            return value if isinstance(value, date) else date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a day; write 2026-06-05", param, ctx)


def print_json(value: Any) -> None:
    """One document, readable, with every character as it is, or escaped where stdout has it not."""
    escaped = not shows_all_letters(sys.stdout)
    click.echo(json.dumps(value, ensure_ascii=escaped, indent=1, default=plain))


def plain(value: Any) -> Any:
    """An instant, a day or an amount as it stands in a JSON document."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def print_table(
    header: Sequence[str], rows: Sequence[Sequence[object]], *, err: bool = False
) -> None:
    """A table in columns, on stdout unless ``err``; Chinese characters count as two.

    Where it is wider than the terminal each row goes on in an indented line, between two columns.
    """
    cells = [[str(c) if c is not None else "-" for c in row] for row in [header, *rows]]
    widths = [max(_width(row[i]) for row in cells) for i in range(len(header))]
    lines = _folded(widths, columns(sys.stderr if err else sys.stdout))
    for number, row in enumerate(cells):
        padded = [c + " " * (w - _width(c)) for c, w in zip(row, widths, strict=True)]
        for part in lines:
            line = (_INDENT if part.start else "") + _GAP.join(padded[part]).rstrip()
            if part.start and not line.strip():
                continue
            click.secho(line, bold=True, err=err) if number == 0 else click.echo(line, err=err)


def _folded(widths: Sequence[int], room: int | None) -> list[slice]:
    """Which columns go into each line of a row; all into one if ``room`` allows or is unknown."""
    ends, used = [0], -len(_GAP)
    for column, width in enumerate(widths):
        used += len(_GAP) + width
        if room is not None and used > room and column > ends[-1]:
            ends.append(column)
            used = len(_INDENT) + width
    return [slice(start, end) for start, end in pairwise([*ends, len(widths)])]


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
