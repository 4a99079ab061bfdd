"""How fast this machine is, so that a slow or busy one plays the same storm in more time."""

import subprocess
import sys
import time

# What a process of ours takes to start on two idle cores of 2024, in seconds.
_USUAL = 2.0
_MOST = 20.0
_LOAD = "import worker.processes.actors, worker.processes.scheduler, worker.web"


def measure_pace() -> float:
    """How many times longer than usual a process takes to start here now: from 1 to 20."""
    # The better of two: the first may have to read everything from the disk.
    took = min(_start(), _start())
    return round(min(max(took / _USUAL, 1.0), _MOST), 2)


def _start() -> float:
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", _LOAD], check=True, stdin=subprocess.DEVNULL)
    return time.monotonic() - began
