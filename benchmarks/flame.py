"""A flame graph of sends: which functions the time of one process goes to.

`python -m benchmarks.flame FILE.svg [sqlite|postgresql] [CARDS]` sends that many notices through
one process and one thread, as `benchmarks.profile_line` does, and samples it with py-spy, which
slows it down much less than a profiler does. That needs leave to look into another process: root,
or kernel.yama.ptrace_scope=0.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.profile_line import in_one_thread, line, once
from worker.processes.gc_tuning import look_rarely

_PER_SECOND = "200"
_TITLE = "One send, from the check of its card to its record"


def main(picture: Path, database: str, cards: int) -> None:
    """Fill a database, warm up, sample, draw."""
    with line(database, cards) as app, asyncio.Runner() as loop:
        once(app, cards // 4, loop)
        look_rarely()
        with in_one_thread(), _sampled(picture):
            sent = once(app, cards, loop)
        loop.run(app.close())
    print(f"{picture}: {sent} sends")


@contextmanager
def _sampled(picture: Path) -> Iterator[None]:
    spy = shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if spy is None:
        sys.exit("py-spy is not installed: run `make bench` once, which installs it")
    # What holds the interpreter: not what waits for the database or the network.
    command = [spy, "record", "--gil", "--rate", _PER_SECOND, "--output", str(picture), "--pid"]
    child = subprocess.Popen([*command, str(os.getpid())], stdout=subprocess.DEVNULL)
    time.sleep(1.5)
    if child.poll() is not None:
        sys.exit("py-spy may not look into this process: be root, or kernel.yama.ptrace_scope=0")
    try:
        yield
    finally:
        child.send_signal(signal.SIGINT)
        child.wait(60)
    drawn = picture.read_text("utf-8")
    # Its heading is the command line, with the paths of this machine.
    picture.write_text(drawn.replace(" ".join([*command, str(os.getpid())]), _TITLE), "utf-8")


if __name__ == "__main__":
    given = sys.argv[1:]
    if not given:
        sys.exit(__doc__)
    main(
        Path(given[0]),
        given[1] if len(given) > 1 else "postgresql",
        int(given[2]) if len(given) > 2 else 8000,
    )
