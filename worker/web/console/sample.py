"""The sample book, for somebody who has no cards here yet."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from worker.cardbook.importer import Result, import_book
from worker.cardbook.options import ReadOptions
from worker.cardbook.parse import read_cardbook
from worker.cardbook.sample import moved, require_apart, sample_file
from worker.core.hours import local_day
from worker.paths import config_dir
from worker.setup.app import App
from worker.setup.load_rules import load_vocabulary
from worker.store import audit, books
from worker.store.audit import Doer
from worker.store.engine import reading

BOOK: Final = "sample"


def import_sample(app: App, doer: Doer, now: datetime) -> None:
    """Import it as a book of its own, its dates moved to today. Raises ``CardBookError`` where a
    book of one's own has that name."""
    own = app.settings.book
    read = read_cardbook(sample_file(), ReadOptions(), load_vocabulary(config_dir(), app.rules))
    with reading(app.engine) as conn:
        require_apart(BOOK, sample=True, there=books.is_sample(conn, BOOK))
    wanted = {
        "signature": own.signature,
        "language": own.language,
        "time_zone": own.time_zone,
        "sample": True,
    }
    today = moved(read, local_day(now, own.time_zone))

    def note(conn: Connection, book_id: int, _result: Result) -> None:
        what: dict[str, Any] = {"subject": "book", "subject_id": book_id, "book_id": book_id}
        audit.write(conn, doer, "sample_imported", now, **what)

    import_book(app.engine, today, BOOK, wanted, now, rules=app.rules, apply=True, finish=note)
