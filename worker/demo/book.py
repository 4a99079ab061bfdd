"""The card book of the demo: the sample with its dates moved to today, or a book as it is."""

import shlex
from datetime import date, datetime
from pathlib import Path

from worker.cardbook.importer import import_book
from worker.cardbook.parse import ReadOptions, read_cardbook
from worker.cardbook.rows import CardBook
from worker.cardbook.sample import is_sample, moved
from worker.errors import CardBookError
from worker.paths import config_dir
from worker.setup.app import App
from worker.setup.load_rules import load_rules, load_vocabulary


def read_book(file: Path, today: date) -> CardBook:
    """The cards of ``file``. The dates of a sample book move from its day to ``today``, those of
    any other book stay as they are.

    Raises ``CardBookError`` if a single row is wrong: all are imported or none.
    """
    config = config_dir()
    try:
        book = read_cardbook(file, ReadOptions(), load_vocabulary(config, load_rules(config)))
    except CardBookError as error:
        command = _import_command(file)
        raise CardBookError(
            error.message, f"{error.hint}. Try it with {command}, which takes the options."
        ) from None
    if book.errors:
        first = book.errors[0]
        where = f"row {first.row}" + (f", column {first.column}" if first.column else "")
        raise _refusal(file, book.total - len(book.rows), book.total, f"{where}: {first.message}")
    return moved(book, today) if is_sample(book) else book


def import_into(app: App, book: CardBook, file: Path, now: datetime) -> None:
    """The same import as `vigencia cards import --apply`. Raises ``CardBookError``."""
    own = app.settings.book
    wanted = {
        "signature": own.signature,
        "language": own.language,
        "time_zone": own.time_zone,
        "guardian_email": "guardian@example.com",
    }
    result = import_book(app.engine, book, "demo", wanted, now, rules=app.rules, apply=True)
    if not result.applied or result.refused:
        raise _refusal(file, result.refused, book.total, "see why with the command below")


def _refusal(file: Path, refused: int, total: int, why: str) -> CardBookError:
    return CardBookError(
        f"{refused} of {total} rows were refused, so the demo has no cards; {why}",
        f"see every reason: {_import_command(file)}",
    )


def _import_command(file: Path) -> str:
    return f"vigencia cards import {shlex.quote(str(file))} --book demo --new-book"
