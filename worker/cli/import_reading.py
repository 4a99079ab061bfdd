"""How a card book was read, as a table: a wrong reading is seen before anything is written."""

import click

from worker.cardbook.importer import Result
from worker.cardbook.rows import ColumnReading
from worker.cli.output import print_table

_SHOWN_ZONES = 8


def tell_reading(result: Result) -> None:
    """The columns with what was understood, the encoding, and the time zones given."""
    book = result.book
    where = f"encoding {book.encoding}" if book.encoding else f"sheet {book.sheet!r}"
    click.echo(f"How {book.file} was read ({where}; personal values are masked):")
    print_table(
        ("column", "header", "is", "cells", "from", "to", "written as", "examples"),
        [_line(column) for column in book.reading],
    )
    zones = [
        f"{zone} ({why}; {count})"
        for (zone, why), count in sorted(result.zones.items(), key=lambda one: -one[1])
    ]
    if zones:
        more = len(zones) - _SHOWN_ZONES
        told = ", ".join(zones[:_SHOWN_ZONES]) + (f" and {more} more" if more > 0 else "")
        click.echo(f"Time zones of the holders: {told}.")


def _line(column: ColumnReading) -> tuple[object, ...]:
    counted = column.cells or column.blank
    return (
        column.column,
        column.header or "-",
        column.holds,
        column.cells if counted else "-",
        column.lowest,
        column.highest,
        ", ".join(f"{form} ×{count}" for form, count in column.forms.items()) or "-",
        ", ".join(column.examples) or "-",
    )
