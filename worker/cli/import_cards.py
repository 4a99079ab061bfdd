"""`vigencia cards import`: a card book goes in, or every reason why not comes out."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from worker.cardbook.book_names import settled_name
from worker.cardbook.document import as_document
from worker.cardbook.importer import STEPS, Step, import_book
from worker.cardbook.options import ReadOptions
from worker.cardbook.parse import read_cardbook
from worker.cardbook.refused import write_refused
from worker.cardbook.sample import is_sample, require_apart
from worker.cli.import_report import tell
from worker.cli.output import LANGUAGES, as_json_option, print_json
from worker.core.cards import Language
from worker.paths import config_dir
from worker.setup.build import build_ready
from worker.setup.load_rules import load_vocabulary
from worker.setup.settings import Settings
from worker.store.books import is_sample as is_sample_book
from worker.store.books import peek
from worker.store.engine import reading

# What the columns of the store hold.
_LONGEST_NAME = 100
_LONGEST_SIGNATURE = 30


def _at_most(most: int) -> Callable[[click.Context, click.Parameter, str | None], str | None]:
    def check(_ctx: click.Context, _param: click.Parameter, text: str | None) -> str | None:
        if text is not None and not 0 < len(text.strip()) <= len(text) <= most:
            raise click.BadParameter(f"1 to {most} characters are expected")
        return text

    return check


def _told_columns(
    _ctx: click.Context, _param: click.Parameter, told: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    for one in told:
        if not all(one.rpartition("=")[::2]):
            raise click.BadParameter("HEADER=FIELD is expected, such as Móvil=contact_phone")
    return tuple((header, field) for header, _, field in (one.rpartition("=") for one in told))


@click.command(name="import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--book",
    required=True,
    callback=_at_most(_LONGEST_NAME),
    help="The card book this file belongs to.",
)
@click.option("--new-book", is_flag=True, help="Make the book if there is none of this name.")
@click.option("--apply", "apply_", is_flag=True, help="Write. Without it nothing is changed.")
@click.option(
    "--skip-bad",
    is_flag=True,
    help="Write the good rows; refused ones go to a new spreadsheet beside the file.",
)
@click.option(
    "--signature",
    callback=_at_most(_LONGEST_SIGNATURE),
    help="How the book's messages are signed (kept with the book).",
)
@click.option("--language", type=click.Choice(LANGUAGES), help="The book's default language.")
@click.option("--time-zone", help="The book's default time zone, such as America/Lima.")
@click.option("--guardian-email", help="Who keeps the book: told of holders out of reach.")
@click.option("--encoding", help="Encoding of a text file, if it cannot be told.")
@click.option("--date-order", type=click.Choice(["dmy", "mdy"]), help="How 05/06/2026 is read.")
@click.option("--card-column", type=click.Choice(["msisdn", "iccid", "imsi"]),
              help="What a column called 卡号 holds.")  # fmt: skip
@click.option("--excel-dates", type=click.Choice(["1900", "1904"]), help="Epoch of bare serials.")
@click.option("--contact-region", help="Country of contact phones without +, such as PE or CN.")
@click.option("--kind", help="Kind of the cards whose row names none, such as data or 保号卡.")
@click.option("--operator", help="Operator of the cards whose row names none, such as Claro.")
@click.option("--any-phone", is_flag=True,
              help="Take contact phones that their country does not know as mobiles.")  # fmt: skip
@click.option("--column", "columns", multiple=True, callback=_told_columns,
              metavar="HEADER=FIELD", help="What a column holds, such as Móvil=contact_phone, "
              "Clave=note or Clave=ignore; may be repeated.")  # fmt: skip
@click.option("--sheet", help="The sheet of a workbook.")
@as_json_option
def import_(
    file: Path,
    book: str,
    new_book: bool,
    apply_: bool,
    skip_bad: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Read a card book FILE (xlsx, xls, ods, csv, tsv) and upsert its cards.

    Without --apply this is a dry run: it tells how each column was read and what would change, and
    changes nothing. Every problem is told at once, with its row and column. All rows are written or
    none; with --skip-bad the good rows are written, and the refused ones go to FILE's name with
    .refused.xlsx, to be corrected and imported. A card whose plan end or top-up moved on counts as
    renewed: older reminders end, and its holder gets the checklist. A card that FILE does not name
    is told and stays as it is; so does what was entered since FILE was last read, where FILE only
    repeats what it said then.

    Exit code: 0 if no row was refused, else 1.
    """
    app = build_ready()
    wanted = _book_values(app.settings, options)
    vocabulary = load_vocabulary(config_dir(), app.rules)
    with reading(app.engine) as conn:
        book = settled_name(conn, book, new=new_book)
        language = peek(conn, book, wanted).language
    epoch = options.pop("excel_dates")
    read = ReadOptions(**options, excel_dates=int(epoch) if epoch else None, language=language)  # type: ignore[arg-type]
    with _steps(quiet=as_json) as step:
        parsed = read_cardbook(file, read, vocabulary)
        wanted["sample"] = sample = is_sample(parsed)
        with reading(app.engine) as conn:
            require_apart(book, sample=sample, there=is_sample_book(conn, book))

        def keep_refused(language: str) -> Path:
            return write_refused(parsed, file, Language(language), vocabulary)

        result = import_book(
            app.engine,
            parsed,
            book,
            wanted,
            app.now(),
            rules=app.rules,
            apply=apply_,
            keep_refused=keep_refused if skip_bad else None,
            step=step,
        )
    if as_json:
        print_json(as_document(result))
    else:
        if sample:
            click.echo(
                "These are the invented sample cards: nothing of this book is ever sent through "
                "a real provider. To take it away: vigencia books remove"
            )
        tell(result, file, book, wrote=apply_, skip_bad=skip_bad)
    sys.exit(1 if result.refused else 0)


@contextmanager
def _steps(*, quiet: bool) -> Iterator[Step]:
    """A bar on stderr that moves with each step, for a person who waits."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(
        length=len(STEPS) + 1, label=f"{'reading':10}", show_eta=False, file=sys.stderr
    ) as bar:

        def step(name: str) -> None:
            bar.label = f"{name:10}"
            bar.update(1)

        yield step
        bar.update(bar.length or 0)


def _book_values(settings: Settings, options: dict[str, Any]) -> dict[str, Any]:
    """The defaults for a new book, and what the command line sets for any."""
    own = settings.book
    return {
        "signature": own.signature,
        "language": own.language,
        "time_zone": own.time_zone,
        "set_signature": _signature(options.pop("signature")),
        "set_language": options.pop("language"),
        "set_time_zone": _zone(options.pop("time_zone")),
        "set_guardian_email": _email(options.pop("guardian_email")),
    }


def _signature(text: str | None) -> str | None:
    from worker.core.signing_off import signature

    try:
        return signature(text) if text else None
    except ValueError as problem:
        raise click.BadParameter(str(problem), param_hint="--signature") from None


def _email(address: str | None) -> str | None:
    from worker.cardbook.values import ValueProblem, parse_email

    try:
        return parse_email(address) if address else None
    except ValueProblem as problem:
        raise click.BadParameter(problem.message, param_hint="--guardian-email") from None


def _zone(name: str | None) -> str | None:
    from zoneinfo import available_timezones

    if name and name not in available_timezones():
        raise click.BadParameter(f"{name} is not a time zone", param_hint="--time-zone")
    return name
