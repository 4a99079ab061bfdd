"""All parts, one after the other, on one database."""

import json
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.import_cards import measure, write_book
from benchmarks.scale import server
from benchmarks.scale.commands import commands, looks
from benchmarks.scale.due import due
from benchmarks.scale.fill import enter, examine, grow, prepare
from benchmarks.scale.idle import idle
from benchmarks.scale.importing import importing
from benchmarks.scale.plans import as_document, as_text, plans
from benchmarks.scale.policy import policy
from benchmarks.scale.processes import several
from benchmarks.scale.shapes import MORNING, NOW
from benchmarks.scale.sizes import sizes
from worker.clock import set_file_clock
from worker.setup.app import App
from worker.store.engine import reading

PARTS = ("idle", "due", "queries", "plans", "processes", "policy", "import")
_SMALL, _MIDDLE = 10_000, 1_000_000
_MOST_CHECKED = 200_000
_WORKERS = (1, 2, 4)


@dataclass
class Scale:
    """What is measured: ``cards`` and ``rows`` of an import, in the parts ``only``. ``folder``
    keeps the database for another run; ``plans_file`` gets the plans as text."""

    cards: int
    rows: int
    rechecked: int
    only: Sequence[str]
    folder: Path | None
    plans_file: Path
    progress: Callable[[str], None]

    def run(self) -> dict[str, Any]:
        """Everything; returns the JSON document."""
        began = time.perf_counter()
        with ExitStack() as stack:
            if self.folder is None:
                made = tempfile.TemporaryDirectory(prefix="vigencia-scale-")
                self._work = Path(stack.enter_context(made))
            else:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._work = self.folder
            keep = self.folder is not None
            address = stack.enter_context(server.server_of_this_size(self._work, keep=keep))
            self._clock = self._work / "now"
            set_file_clock(self._clock, NOW)
            self.report: dict[str, Any] = {"cards": self.cards, "settings": server.SETTINGS}
            self._on(address)
        self.report["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        self.report["seconds"] = round(time.perf_counter() - began)
        return self.report

    def _on(self, address: str) -> None:
        small = self._filled(address, server.SMALL, (_SMALL,))
        steps = (_MIDDLE, self.cards) if self.cards > _MIDDLE else (self.cards,)
        main = self._filled(address, server.MAIN, steps, small)
        self.url = main.engine.url.render_as_string(hide_password=False)
        self._env = server.environment(self.url, self._clock)
        for name in self.only:
            self.progress(f"-- {name}")
            at = time.perf_counter()
            found = getattr(self, f"_{name}")(main, small)
            self.report[name] = found
            self.progress(json.dumps(found, default=str) if name != "queries" else "")
            self.progress(f"{name}: {time.perf_counter() - at:.0f} s")
        self.report["sizes_after"] = sizes(main.engine)
        main.engine.dispose()
        small.engine.dispose()

    def _filled(
        self, address: str, name: str, steps: Sequence[int], small: App | None = None
    ) -> App:
        """The app on a database with the last of ``steps`` cards, filled where it is not yet."""
        url = server.database(address, name)
        app = server.open_app(url)
        prepare(app.engine, app.rules)
        took, used = 0.0, server.processor(app.engine)
        for step in steps:
            took += grow(app.engine, step, self.progress)
            enter(app, self.progress)
            if small and took and step != steps[-1]:
                self.report["idle_in_between"] = idle([(_SMALL, small), (step, app)])
                self.progress(json.dumps(self.report["idle_in_between"]))
        if small and took:
            self._imported(app, url)
            used = round(server.processor(app.engine) - used, 1)
            times = {"seconds": round(took, 1), "database_cpu_s": used}
            self.report["fill"] = {**times, **sizes(app.engine)}
            self.progress(f"filled in {took:.0f} s: {_gb(self.report['fill']['database_bytes'])}")
        return app

    def _imported(self, app: App, url: str) -> None:
        """Compare with rows of the real importer, which go again."""
        book = self._work / "sample.csv"
        write_book(book, 40, renewed=False)
        measure(url, book)
        found = list(examine(app.engine, lambda ids: app.checks.run(ids, NOW).reminders, "bench"))
        with app.engine.begin() as conn:
            for table, where in _IMPORTED:
                conn.exec_driver_sql(f"DELETE FROM {table} WHERE {where}")  # noqa: S608
        for line in found:
            self.progress(line)
        self.report["examined"] = found

    def _idle(self, main: App, small: App) -> Any:
        with reading(main.engine) as conn:
            rows = {
                name: conn.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar()  # noqa: S608
                for name in ("cards", "reminders", "messages", "attempts", "receipts")
            }
        return {"rows": rows, **idle([(_SMALL, small), (self.cards, main)])}

    def _due(self, main: App, _small: App) -> Any:
        return due(main, _MOST_CHECKED)

    def _queries(self, main: App, _small: App) -> Any:
        set_file_clock(self._clock, MORNING)
        found = commands(main.engine, self._env, self._work, self.progress)
        asked = looks(main, main.engine)
        for one in asked:
            self.progress(f"{one['ms']:7.1f} ms {one['scanned']:>12,} rows scanned  {one['look']}")
        return {"commands": found, "looks": asked}

    def _plans(self, main: App, _small: App) -> Any:
        found = plans(main)
        self.plans_file.write_text(as_text(found), encoding="utf-8")
        bad = [one.name for one in found if one.reads_all]
        # Of few rows it is right to read them all.
        assert not bad or self.cards < _MIDDLE, f"read all there is: {bad}; see {self.plans_file}"
        return as_document(found)

    def _processes(self, main: App, _small: App) -> Any:
        return several(main.engine, self.url, min(self.cards // 2, 200_000), _WORKERS)

    def _policy(self, main: App, _small: App) -> Any:
        return policy(main, main.engine, self._env, self._clock, min(self.cards, self.rechecked))

    def _import(self, main: App, _small: App) -> Any:
        return importing(self.url, self.rows, self._work, self.progress)


_IMPORTED = (
    ("outlook", "book_id > 1001"),
    ("finder", "book_id > 1001"),
    ("card_events", "card_id IN (SELECT id FROM cards WHERE book_id > 1001)"),
    ("cards", "book_id > 1001"),
    ("holders", "book_id > 1001"),
    ("books", "id > 1001"),
)


def _gb(size: int) -> str:
    return f"{size / 2**30:.2f} GB"
