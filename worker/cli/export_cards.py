"""`vigencia cards export` and `vigencia cards template`: card books that we write.

The library that writes workbooks takes 0.05 s to import, so that is left to the commands.
"""

import sys
from pathlib import Path
from shlex import quote

import click

from worker.cardbook.column_file import load_columns
from worker.cli.output import LANGUAGES, as_json_option, print_json
from worker.core.cards import Language
from worker.paths import config_dir, shipped
from worker.setup.build import build_ready
from worker.setup.load_rules import load_vocabulary
from worker.store.engine import reading
from worker.store.views import book_named, count_cards

_FORMATS = (".xlsx", ".csv")


class _NewFile(click.Path):
    """A file whose name says which of our formats it shall have."""

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        path = Path(super().convert(value, param, ctx))  # type: ignore[arg-type]
        if path.suffix.lower() not in _FORMATS:
            self.fail(f"{path.name}: the name must end in {' or '.join(_FORMATS)}.", param, ctx)
        return path


_overwrite = click.option("--overwrite", is_flag=True, help="Replace the file if it exists.")


@click.command()
@click.argument("file", type=_NewFile())
@click.option("--book", help="The card book; needed where there is more than one.")
@click.option("--language", type=click.Choice(LANGUAGES), help="Of titles and words.")
@_overwrite
@as_json_option
def export(
    file: Path, book: str | None, language: str | None, overwrite: bool, as_json: bool
) -> None:
    """Write all cards of a book to FILE (.xlsx or .csv), to be kept or imported again.

    Imported into the same book it changes nothing; what you edit in it is what changes. The last
    column tells each card's state and is not read back.

    The file holds names, phone numbers and email addresses: only you can read it (mode 0600).
    """
    from worker.cardbook.exporter import export_book

    app = build_ready()
    vocabulary = load_vocabulary(config_dir(), app.rules)
    with reading(app.engine) as conn:
        own = book_named(conn, book)
        chosen = Language(language or own.language)
        quiet = as_json or not sys.stderr.isatty()
        total = count_cards(conn, own.name)[0]
        with click.progressbar(length=total, file=sys.stderr, hidden=quiet) as bar:
            done = export_book(
                conn,
                own.name,
                file,
                vocabulary.wordings[chosen],
                overwrite=overwrite,
                on_row=lambda: bar.update(1),
            )
    if as_json:
        told = {"file": str(file), "book": own.name, "language": chosen, "cards": done.cards}
        print_json({**told, "shared_numbers": done.shared_numbers})
        return
    if done.shared_numbers:
        click.echo(
            f"warning: {done.shared_numbers} mobile numbers stand in more than one row; the file "
            "is refused at import until one of the rows is deleted",
            err=True,
        )
    click.echo(f"{done.cards} cards of the book {own.name!r} are in {file}.")
    click.echo("It holds personal data, and only you can read it. To bring changes back:")
    click.echo(f"  vigencia cards import {quote(str(file))} --book {quote(own.name)}")


@click.command()
@click.argument("file", type=_NewFile())
@click.option("--language", type=click.Choice(LANGUAGES), required=True, help="Of the titles.")
@_overwrite
@as_json_option
def template(file: Path, language: str, overwrite: bool, as_json: bool) -> None:
    """Write an empty card book to FILE, ready to be filled in and imported.

    An .xlsx has columns in which a spreadsheet spoils no number, lists to choose from, and a
    second sheet that explains each column. A .csv is the header row alone.
    """
    from worker.cardbook.template import load_help, write_template

    directory = config_dir()
    vocabulary = load_columns(directory / "columns.toml")
    own = directory / "template.toml"
    texts = load_help(own if own.is_file() else shipped("config") / "template.toml")
    chosen = Language(language)
    write_template(file, vocabulary.wordings[chosen], texts[chosen], overwrite=overwrite)
    if as_json:
        print_json({"file": str(file), "language": chosen})
        return
    click.echo(f"{file} is an empty card book.")
    if file.suffix.lower() == ".csv":
        click.echo("It is the header row alone: for lists and explanations write an .xlsx.")
    click.echo("Fill in one card a row, then:")
    click.echo(f"  vigencia cards import {quote(str(file))} --book NAME --new-book")
