"""A card book of a million rows through `vigencia cards import`: new, and again unchanged."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.import_cards import measure, write_book


def importing(
    url: str, rows: int, folder: Path, told: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Time, processor time and peak memory (PSS of all its processes) of each run."""
    book = folder / "book.csv"
    write_book(book, rows, renewed=False)
    found = []
    for run in ("first", "again"):
        seconds, cpu, peak = measure(url, book)
        found.append({
            "run": run,
            "rows": rows,
            "file_mb": round(book.stat().st_size / 2**20, 1),
            "seconds": round(seconds, 1),
            "cpu_s": round(cpu, 1),
            "rows_per_s": round(rows / seconds),
            "peak_mb": peak,
        })  # fmt: skip
        told(f"{run}: {seconds:.1f} s, {peak} MB")
    book.unlink()
    return found
