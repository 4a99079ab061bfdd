"""What ten million cards cost, measured on PostgreSQL.

    python -m benchmarks.scale --cards 10_000_000 [--json FILE] [--dir D] [--only idle,due]

Fills a database of its own with cards as the program itself would have left them, each with what
its holder was told so far, and measures: a tick that finds nothing, a morning on which one card in
a hundred is due, what people ask at a terminal, the plans of the hot statements, several schedulers
and workers, a check of all cards after new rules, the import of a large book. With --dir the
database stays there and is used again. Progress goes to stderr; figures to stdout, or to --json.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from benchmarks.scale.run import PARTS, Scale


def main() -> None:
    """Run it."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("benchmarks.scale", description=__doc__, formatter_class=raw)
    parser.add_argument("--cards", type=int, default=1_000_000)
    parser.add_argument("--import-rows", type=int, default=1_000_000)
    parser.add_argument("--recheck", type=int, default=1_000_000, help="At most so many cards.")
    parser.add_argument("--json", type=Path, help="Write the figures into this file.")
    parser.add_argument("--plans", type=Path, default=Path("plans.txt"), help="Of the plans.")
    parser.add_argument("--dir", type=Path, help="Keep the database here.")
    parser.add_argument("--only", default=",".join(PARTS), help=f"Of {', '.join(PARTS)}.")
    told = parser.parse_args()
    only = told.only.split(",")
    if unknown := [name for name in only if name not in PARTS]:
        parser.error(f"--only: {', '.join(unknown)}: there are {', '.join(PARTS)}")
    began = time.monotonic()

    def progress(line: str) -> None:
        if line:
            print(f"{time.monotonic() - began:7.1f}  {line}", file=sys.stderr, flush=True)

    found = Scale(
        cards=told.cards,
        rows=told.import_rows,
        rechecked=told.recheck,
        only=[name for name in PARTS if name in only],
        folder=told.dir,
        plans_file=told.plans,
        progress=progress,
    ).run()
    document = json.dumps(found, indent=1, default=str)
    if told.json:
        told.json.write_text(document + "\n", encoding="utf-8")
    else:
        print(document)


if __name__ == "__main__":
    main()
