"""One JSON document, written while it is computed; what must come later rests in files."""

import json
import shutil
from collections.abc import Iterable, Sequence
from tempfile import TemporaryFile
from typing import IO, Any

from worker.simulation.chunks import Side


class JsonArray:
    """A JSON array in the making, of at most ``most`` entries, each given as text."""

    def __init__(self, out: IO[str], most: int | None) -> None:
        self._out, self._most = out, most
        self._written = 0

    def add(self, entries: Iterable[str]) -> None:
        """Write entries; those past the limit are left out."""
        for entry in entries:
            if self._most is not None and self._written >= self._most:
                return
            self._out.write(",\n" if self._written else "\n")
            self._out.write(entry)
            self._written += 1


class Document:
    """``head`` tells of each side what is known before; ``close`` adds its totals.

    One side: ``{head…, "notices": […], "totals": …}``. Two: ``{"a": …, "b": …, "only_in_a": […],
    "only_in_b": […]}``, of which only the first array can be written at once.
    """

    def __init__(self, out: IO[str], heads: Sequence[dict[str, Any]], most: int | None) -> None:
        self._out, self._heads = out, heads
        self._files = [
            TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed with the document
            for _ in range(3 * (len(heads) - 1))
        ]
        targets: list[IO[str]] = [out, *self._files]
        self._listings = [JsonArray(target, most) for target in targets]
        out.write('{"a": ' if len(heads) == 2 else "")
        self._open(heads[0])

    def add(self, sides: Sequence[Side]) -> None:
        """Write what one range of holders yields."""
        parts = [side.notices for side in sides]
        parts += [side.only for side in sides] if len(sides) == 2 else []
        for listing, entries in zip(self._listings, parts, strict=True):
            listing.add(entries)

    def close(self, totals: Sequence[dict[str, Any]]) -> None:
        """Write the rest."""
        self._end(totals[0])
        if self._files:
            self._out.write(',\n"b": ')
            self._open(self._heads[1])
            self._copy(self._files[0])
            self._end(totals[1])
            for name, file in zip(("only_in_a", "only_in_b"), self._files[1:], strict=True):
                self._out.write(f',\n"{name}": [')
                self._copy(file)
                self._out.write("]")
            self._out.write("}")
        self._out.write("\n")
        self._out.flush()
        for file in self._files:
            file.close()

    def _open(self, head: dict[str, Any]) -> None:
        self._out.write(json.dumps(head, ensure_ascii=False)[:-1] + ', "notices": [')

    def _end(self, totals: dict[str, Any]) -> None:
        self._out.write('],\n"totals": ' + json.dumps(totals, ensure_ascii=False, indent=1) + "}")

    def _copy(self, file: IO[str]) -> None:
        file.seek(0)
        shutil.copyfileobj(file, self._out)
