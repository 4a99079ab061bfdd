"""Which column holds which field: by its header, and where that is not enough by its content."""

from dataclasses import dataclass

from worker.cardbook.cells import masked
from worker.cardbook.columns import Columns
from worker.cardbook.folding import fold
from worker.cardbook.grid import column_letter
from worker.cardbook.identifiers import identifier_of
from worker.cardbook.options import ReadOptions
from worker.cardbook.reader import Sheet
from worker.cardbook.rows import Problem
from worker.errors import CardBookError

# Each group needs one column at least.
_REQUIRED = (("msisdn", "iccid"), ("operator",), ("kind",), ("expires", "last_topup"))
_SHOWN_EXTRAS = 20


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """``places`` and ``headers`` give a field's index and its header as written.

    ``extras`` are the columns nobody knows, kept as notes: index and name.
    """

    places: dict[str, int]
    headers: dict[str, str]
    extras: tuple[tuple[int, str], ...]
    warnings: tuple[Problem, ...]


def map_columns(sheet: Sheet, vocabulary: Columns, options: ReadOptions) -> ColumnMap:
    """The sheet's columns. Raises CardBookError naming everything that is wrong with them."""
    places: dict[str, int] = {}
    extras: list[tuple[int, str]] = []
    wrong: list[str] = []
    width = max([len(sheet.header), *(len(cells) for _, cells in sheet.rows)])
    for index in range(width):
        header = sheet.header[index] if index < len(sheet.header) else ""
        try:
            field = _field(sheet, index, header, vocabulary, options)
        except CardBookError as error:
            wrong.append(f"{error.message}; {error.hint}")
            continue
        if field is None:
            if fold(header) in vocabulary.ignored:
                continue
            # In a text file, cells past the last header are a row gone wrong, not a column.
            if index < len(sheet.header) or sheet.name is not None:
                extras.append((index, header or f"column {_letter(sheet, index)}"))
        elif field in places:
            wrong.append(
                f"columns {_letter(sheet, places[field])} and {_letter(sheet, index)} are both "
                f"{field}; rename or delete one of them"
            )
        else:
            places[field] = index
    if not wrong:
        wrong = _missing(places, vocabulary, options)
    if wrong:
        strange = ", ".join(repr(masked(name)) for _, name in extras[:_SHOWN_EXTRAS])
        raise CardBookError(
            f"{sheet.file}, row {sheet.header_row}: " + ". ".join(wrong),
            (f"not known are {strange}; " if strange else "")
            + "further names for a column go into config/columns.toml",
        )
    used = tuple(extra for extra in extras if _is_used(sheet, extra[0]))
    headers = {field: sheet.header[index] for field, index in places.items()}
    return ColumnMap(places, headers, used, tuple(_unknown(sheet, name) for _, name in used))


def _field(
    sheet: Sheet, index: int, header: str, vocabulary: Columns, options: ReadOptions
) -> str | None:
    folded = fold(header)
    if folded not in vocabulary.ambiguous:
        return vocabulary.headers.get(folded)
    return options.card_column or _by_content(sheet, index, header)


def _by_content(sheet: Sheet, index: int, header: str) -> str | None:
    """What every cell of an ambiguous column agrees on; ``None`` if it is blank throughout."""
    agreed: tuple[int, str] | None = None
    for row, cells in sheet.rows:
        if index >= len(cells) or cells[index] is None:
            continue
        field = identifier_of(cells[index])
        if field is None or (agreed and field != agreed[1]):
            seen = f"row {agreed[0]} holds an {agreed[1].upper()}, " if agreed else ""
            raise CardBookError(
                f"the header {header!r} may mean msisdn, iccid or imsi: {seen}row {row} "
                + (f"an {field.upper()}" if field else "none of them"),
                "correct the row, or choose with --card-column msisdn, iccid or imsi",
            )
        agreed = agreed or (row, field)
    return agreed[1] if agreed else None


def _missing(places: dict[str, int], vocabulary: Columns, options: ReadOptions) -> list[str]:
    return [
        f"no column for {' or '.join(group)}{_instead(group)}; accepted headers are "
        + ", ".join(name for field in group for name in vocabulary.accepted.get(field, ()))
        for group in _REQUIRED
        if not any(field in places or getattr(options, field, None) for field in group)
    ]


def _instead(group: tuple[str, ...]) -> str:
    """The option that speaks for a column which a book of one kind or operator does without."""
    return f" (--{group[0]} may name it for all cards)" if len(group) == 1 else ""


def _is_used(sheet: Sheet, index: int) -> bool:
    return any(index < len(cells) and cells[index] is not None for _, cells in sheet.rows)


def _letter(sheet: Sheet, index: int) -> str:
    return column_letter(sheet.first_column + index)


def _unknown(sheet: Sheet, name: str) -> Problem:
    return Problem(
        sheet.header_row,
        name,
        "unknown_column",
        f"nothing is known of the column {masked(name)!r}: its cells are kept as notes",
        "if it is one of ours, add its name to config/columns.toml",
    )
