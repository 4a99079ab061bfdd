"""From what a person asks for to a plan: the book, the channels, the rules, the prices."""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, select

from worker.core.cards import Holder, Language
from worker.errors import CardBookError
from worker.paths import config_dir, templates_dir
from worker.setup.app import App
from worker.setup.gateways import Mode
from worker.setup.load_prices import load_prices
from worker.simulation.chunks import Task
from worker.simulation.household import HolderRange, spans
from worker.simulation.period import Period
from worker.simulation.policies import with_policies
from worker.simulation.processes import CHUNK, ProcessInput
from worker.store import books as book_store
from worker.store.engine import reading
from worker.store.tables import books


def prepare(
    app: App, period: Period, book: str | None, policies: Sequence[Path], *, listed: bool
) -> tuple[ProcessInput, list[HolderRange]]:
    """The plan, with one set of rules for each of ``policies`` (the rules in force if there is
    none), and the holders in ranges.

    Raises ``CardBookError`` for an unknown ``book``, ``ConfigError`` for a wrong policy or price.
    """
    rules = tuple(with_policies(app.rules, path) for path in policies) or (app.rules,)
    prices = load_prices(config_dir())
    with reading(app.engine) as conn:
        book_id = None if book is None else _book(conn, book)
        ranges = list(spans(conn, book_id, CHUNK))
        guardians = _guardians(conn)
    channels = {c for c, mode in app.gateways.modes.items() if mode is not Mode.OFF}
    plan = ProcessInput(
        url=app.engine.url.render_as_string(hide_password=False),
        templates=templates_dir(),
        rules=rules,
        prices=prices,
        channels=frozenset(channels),
        guardians=guardians,
        task=Task(period, book_id, listed),
    )
    return plan, ranges


def _book(conn: Connection, name: str) -> int:
    found = book_store.find(conn, name)
    if found is None:
        known = conn.execute(select(books.c.name).order_by(books.c.name).limit(20)).scalars()
        hint = ", ".join(known)
        raise CardBookError(
            f"There is no card book {name!r}.",
            f"There are: {hint}" if hint else "Import one with: vigencia cards import",
        )
    return found


def _guardians(conn: Connection) -> dict[int, Holder]:
    """The keepers of the books that name one, as delivery addresses them, by the book's id."""
    rows = conn.execute(select(books).where(books.c.guardian_email.is_not(None)))
    return {
        row.id: Holder(
            id=0,
            name=row.name,
            language=Language(row.language),
            time_zone=row.time_zone,
            contact_phone=None,
            email=row.guardian_email,
        )
        for row in rows
    }
