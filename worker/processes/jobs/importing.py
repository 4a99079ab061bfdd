"""A card book that was sent: what it would change, and then exactly that."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Connection

from worker.cardbook.book_names import settled_name
from worker.cardbook.columns import Columns
from worker.cardbook.document import as_document, refused_rows
from worker.cardbook.importer import STEPS, Result, import_book
from worker.cardbook.options import ReadOptions
from worker.cardbook.parse import read_cardbook
from worker.cardbook.refused import write_refused
from worker.cardbook.rows import CardBook
from worker.cardbook.sample import is_sample, require_apart
from worker.core.cards import Language
from worker.core.jobs import JobKind, JobProgress
from worker.paths import config_dir
from worker.processes.jobs.hand import Hand, LostError
from worker.setup.app import App
from worker.setup.load_rules import load_vocabulary
from worker.store import jobs
from worker.store.books import is_sample as is_sample_book
from worker.store.books import peek
from worker.store.engine import reading, writing

# The reader tells by its content what a file is; its name only says what people call it.
_NAME = "book"
_TOTAL = len(STEPS) + 2


def work(app: App, hand: Hand) -> None:
    """Preview or import, by the job's kind. The options: ``book``, ``new_book``, ``file`` (its
    name), ``read`` (see ``ReadOptions``), ``values`` (see ``store.books.ensure``); of an import
    also ``previewed`` (the preview's digest) and ``skip_bad``.

    Raises ``CardBookError`` where the file cannot be read, ``StalePreviewError`` where it would do
    something else than it showed; then nothing was written.
    """
    wanted = hand.job.options
    hand.tell(JobProgress(0, _TOTAL, "reading"))
    vocabulary = load_vocabulary(config_dir(), app.rules)
    own = app.settings.book
    values: dict[str, Any] = {
        "signature": own.signature,
        "language": own.language,
        "time_zone": own.time_zone,
        **wanted["values"],
    }
    with reading(app.engine) as conn:
        book = settled_name(conn, wanted["book"], new=wanted["new_book"])
        language = peek(conn, book, values).language
    options = ReadOptions(**_tuples(wanted["read"]), language=language)
    with TemporaryDirectory(prefix="vigencia-job-") as folder:
        path = Path(folder) / f"{_NAME}{_suffix(wanted['file'])}"
        path.write_bytes(hand.job.input or b"")
        parsed = replace(read_cardbook(path, options, vocabulary), file=wanted["file"])
        values["sample"] = sample = is_sample(parsed)
        with reading(app.engine) as conn:
            require_apart(book, sample=sample, there=is_sample_book(conn, book))
        _import(app, _Sent(hand, parsed, path, vocabulary), book, language, values)


def _import(app: App, sent: "_Sent", book: str, language: str, values: Mapping[str, Any]) -> None:
    """Compare or write, and end the job with what came of it in the same transaction."""
    wanted = sent.hand.job.options
    apply = sent.hand.job.kind is JobKind.IMPORT
    # SQLite has one writer, and while an import writes it is that: nobody else can say so.
    silent = apply and app.engine.dialect.name == "sqlite"

    def step(name: str) -> None:
        if not silent:
            sent.hand.tell(JobProgress(1 + STEPS.index(name), _TOTAL, name))

    def end(conn: Connection, _book: int | None, result: Result) -> None:
        document = _document(result, sent.parsed)
        if not jobs.finish(conn, sent.hand.job, document, app.now(), sent.output()):
            raise LostError("The job was given to another worker.")

    if not apply and sent.parsed.refused:
        sent.keep_refused(language)
    result = import_book(
        *(app.engine, sent.parsed, book, values, app.now()),
        rules=app.rules,
        apply=apply,
        keep_refused=sent.keep_refused if apply and wanted["skip_bad"] else None,
        step=step,
        digest=True,
        previewed=wanted["previewed"] if apply else None,
        finish=end,
    )
    if not result.applied:
        with writing(app.engine) as conn:
            end(conn, None, result)


@dataclass(slots=True)
class _Sent:
    """The file of a job as it was read, at its ``path``, and the workbook of its refused rows."""

    hand: Hand
    parsed: CardBook
    path: Path
    vocabulary: Columns
    refused: Path | None = None

    def keep_refused(self, language: str) -> Path:
        """Write the refused rows beside the file, with words in ``language``."""
        self.refused = write_refused(self.parsed, self.path, Language(language), self.vocabulary)
        return self.refused

    def output(self) -> tuple[str, bytes] | None:
        """That workbook with the name under which it is handed out, if there is one."""
        if self.refused is None:
            return None
        return f"{Path(self.parsed.file).stem}.refused.xlsx", self.refused.read_bytes()


def _document(result: Result, parsed: CardBook) -> dict[str, Any]:
    return {**as_document(result), "digest": result.digest, "rows": refused_rows(parsed)}


def _tuples(read: dict[str, Any]) -> dict[str, Any]:
    """JSON has no tuples; options are compared as such."""
    return {**read, "columns": tuple((header, field) for header, field in read["columns"])}


def _suffix(name: str) -> str:
    """The ending of what was sent, if it is one that a card book may have: never a path."""
    ending = Path(name).suffix.lower()
    return ending if ending in (".xlsx", ".xls", ".xlsb", ".ods", ".csv", ".tsv") else ".csv"
