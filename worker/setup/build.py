"""Composition: the app of a process, made once from settings and files."""

import sys
import urllib.request
from pathlib import Path
from urllib.error import URLError

from worker.clock import file_clock, system_clock
from worker.errors import UnreachableError
from worker.paths import config_dir
from worker.pipeline.delivery.limits import load_countries
from worker.setup.app import App
from worker.setup.gateways import choose
from worker.setup.load_rules import load_rules
from worker.setup.queue_address import require_address
from worker.setup.settings import Settings, load
from worker.store.engine import open_engine
from worker.store.migrate import require_current
from worker.store.postgresql import StatementTimeouts


def build(
    settings: Settings | None = None, *, serves: bool = False, make_folder: bool = True
) -> App:
    """Read settings and rules and open the database. ``serves``: the process runs on, so no
    statement may keep it for ever. ``make_folder``: see ``open_engine``. Raises
    ``ConfigError``."""
    settings = settings or load()
    require_address(settings.redis_url)
    own = settings.database
    bounds = (
        StatementTimeouts(own.statement_seconds, own.lock_seconds, own.idle_seconds)
        if serves
        else None
    )
    if serves:
        load_countries()
    password = settings.database_password
    clock = file_clock(settings.clock_file) if settings.clock_file else system_clock
    return App(
        settings=settings,
        rules=load_rules(config_dir()),
        gateways=choose(settings),
        engine=open_engine(
            settings.database_url.get_secret_value(),
            password=password.get_secret_value() if password else None,
            bounds=bounds,
            make_folder=make_folder,
        ),
        now=clock,
    )


def build_ready(settings: Settings | None = None, *, serves: bool = False) -> App:
    """An app whose database has this version's tables; see ``build``. That a database was made
    because there was none is told: in another directory there may be the one that was meant."""
    app = build(settings, serves=serves)
    if require_current(app.engine):
        where = Path(app.engine.url.database or "").resolve()
        sys.stderr.write(f"A new, empty database was made: {where}\n")
    return app


def require_sandbox(app: App) -> None:
    """Raise ``UnreachableError`` if messages would go to a sandbox that does not answer."""
    if not app.gateways.sandboxed:
        return
    url = next(o.account.address for o in app.gateways.own.values() if o.provider.own_url)
    try:
        with urllib.request.urlopen(f"{url}/sandbox/health", timeout=5):  # noqa: S310 - loopback
            return
    except (URLError, OSError):
        raise UnreachableError(
            f"No provider credentials are set, and no sandbox answers at {url}.",
            "Start one in another terminal: vigencia sandbox",
        ) from None
