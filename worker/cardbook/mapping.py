"""Which column holds which field: by its header, and where that is not enough by its content."""

from dataclasses import dataclass

from worker.cardbook.cells import masked
from worker.cardbook.columns import AMBIGUOUS, FIELDS, IGNORED, Columns
from worker.cardbook.folding import fold
from worker.cardbook.grid import column_letter
from worker.cardbook.identifiers import identifier_of
from worker.cardbook.options import ReadOptions
from worker.cardbook.reader import Sheet
from worker.cardbook.rows import Problem
from worker.cardbook.unknown import counts_rows, looks_like_contacts
from worker.cardbook.wording import listed, short
from worker.errors import CardBookError

# Each group needs one column at least.
_REQUIRED = (("msisdn", "iccid"), ("operator",), ("kind",), ("expires", "last_topup"))
NOTE, IGNORE = "note", "ignore"
_SHOWN_EXTRAS, _SHOWN_NAMES = 4, 4


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """``places`` and ``headers`` give a field's index and its header as written.

    ``extras`` are the columns nobody knows, kept as notes: index and name; ``skipped`` those that
    are not read at all.
    """

    places: dict[str, int]
    headers: dict[str, str]
    extras: tuple[tuple[int, str], ...]
    warnings: tuple[Problem, ...]
    skipped: tuple[tuple[int, str], ...] = ()


@dataclass(slots=True)
class _FoundColumns:
    places: dict[str, int]
    extras: list[tuple[int, str]]
    skipped: list[tuple[int, str]]
    wrong: list[CardBookError]


def map_columns(sheet: Sheet, vocabulary: Columns, options: ReadOptions) -> ColumnMap:
    """The sheet's columns. Raises CardBookError naming what is wrong with them."""
    told = _told(sheet, options)
    found = _FoundColumns({}, [], [], [])
    width = max([len(sheet.header), *(len(cells) for _, cells in sheet.rows)])
    for index in range(width):
        header = sheet.header[index] if index < len(sheet.header) else ""
        try:
            field = told.get(header) or _field(sheet, index, header, vocabulary, options)
        except CardBookError as error:
            found.wrong.append(error)
            continue
        _place(sheet, index, header, field, found, vocabulary)
    if not found.wrong:
        _ask_about_contacts(sheet, found, told)
    missing = _missing(found.places, vocabulary, options) if not found.wrong else []
    if found.wrong or missing:
        raise _refusal(sheet, [*found.wrong, *missing], found.extras if missing else [])
    headers = {field: sheet.header[index] for field, index in found.places.items()}
    warnings = tuple(_unknown(sheet, name) for _, name in found.extras if name not in told)
    return ColumnMap(found.places, headers, tuple(found.extras), warnings, tuple(found.skipped))


def _told(sheet: Sheet, options: ReadOptions) -> dict[str, str]:
    """What a person said of single columns, by header. Raises CardBookError."""
    by_fold = {fold(header): header for header in sheet.header if header}
    found: dict[str, str] = {}
    for header, field in options.columns:
        own = header if header in sheet.header else by_fold.get(fold(header))
        if not own:
            raise CardBookError(
                f"{sheet.file} has no column {masked(header)!r} in row {sheet.header_row}",
                short("its columns are " + ", ".join(map(masked, filter(None, sheet.header)))),
            )
        if field not in (*FIELDS, IGNORE):
            raise CardBookError(
                f"--column: {masked(field)!r} is no field",
                f"the fields are {', '.join(FIELDS)}, or {IGNORE}",
            )
        found[own] = field
    return found


def _place(
    sheet: Sheet,
    index: int,
    header: str,
    field: str | None,
    found: _FoundColumns,
    vocabulary: Columns,
) -> None:
    """Put one column where it belongs."""
    name = header or f"column {_letter(sheet, index)}"
    if field in (IGNORED, IGNORE):
        found.skipped.append((index, name))
    elif field is None or (field == NOTE and NOTE in found.places):
        # In a text file, cells past the last header are a row gone wrong, not a column.
        if (index < len(sheet.header) or sheet.name is not None) and _is_used(sheet, index):
            named = fold(header) in vocabulary.row_numbers
            counts = (named or not fold(header)) and counts_rows(sheet, index, named=named)
            (found.skipped if counts else found.extras).append((index, name))
    elif field in found.places:
        found.wrong.append(_both(sheet, found.places[field], index, field))
    else:
        found.places[field] = index


def _field(
    sheet: Sheet, index: int, header: str, vocabulary: Columns, options: ReadOptions
) -> str | None:
    field = vocabulary.field_of(header) if header else None
    if field != AMBIGUOUS:
        return field
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
                f"the header {masked(header)!r} may mean msisdn, iccid or imsi: {seen}row {row} "
                + (f"an {field.upper()}" if field else "none of them"),
                "correct the row, or choose with --card-column msisdn, iccid or imsi",
            )
        agreed = agreed or (row, field)
    return agreed[1] if agreed else None


def _both(sheet: Sheet, first: int, second: int, field: str) -> CardBookError:
    names = " and ".join(repr(masked(sheet.header[i])) for i in (first, second))
    other = masked(sheet.header[second])
    return CardBookError(
        f"columns {_letter(sheet, first)} and {_letter(sheet, second)} are both {field} ({names})",
        f"if one is the holder's own telephone, head it 'Teléfono de contacto' (联系电话), or add "
        f"--column '{other}=contact_phone'"
        if field == "msisdn"
        else f"keep one of them: --column '{other}=note' or '{other}={IGNORE}'",
    )


def _ask_about_contacts(sheet: Sheet, found: _FoundColumns, told: dict[str, str]) -> None:
    """A contact that was taken for a note would never be used, and nobody would know."""
    for index, name in found.extras:
        header = sheet.header[index] if index < len(sheet.header) else ""
        looks = None if header in told else looks_like_contacts(sheet, index)
        if looks:
            field = "email" if looks == "emails" else "contact_phone"
            shown = masked(name)
            found.wrong.append(
                CardBookError(
                    f"the column {shown!r} ({_letter(sheet, index)}) holds {looks}, and its name "
                    "is not known",
                    f"say what it is: --column '{shown}={field}', or ={NOTE}, or ={IGNORE}"
                    if header
                    else "write a header above it",
                )
            )


def _missing(
    places: dict[str, int], vocabulary: Columns, options: ReadOptions
) -> list[CardBookError]:
    return [
        CardBookError(
            f"no column for {' or '.join(group)}{_instead(group)}",
            "accepted headers are "
            + "; ".join(
                listed(vocabulary.accepted.get(field, ()), _SHOWN_NAMES) for field in group
            ),
        )
        for group in _REQUIRED
        if not any(field in places or getattr(options, field, None) for field in group)
    ]


def _instead(group: tuple[str, ...]) -> str:
    """The option that speaks for a column which a book of one kind or operator does without."""
    return f" (--{group[0]} may name it for all cards)" if len(group) == 1 else ""


def _refusal(
    sheet: Sheet, mistakes: list[CardBookError], extras: list[tuple[int, str]]
) -> CardBookError:
    """One error for all of them: the first with its next step, the others by name."""
    first, *others = mistakes
    also = f". Also: {'; '.join(error.message for error in others)}" if others else ""
    strange = listed((repr(masked(name)) for _, name in extras), _SHOWN_EXTRAS)
    unknown = f"; not known are {strange}" if strange else ""
    return CardBookError(
        short(f"{sheet.file}, row {sheet.header_row}: {first.message}{also}"),
        short(f"{first.hint}{unknown}; further names for a column go into config/columns.toml"),
    )


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
        f"if it is one of ours, say so: --column '{masked(name)}=email'",
    )
