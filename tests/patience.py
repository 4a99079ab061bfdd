"""How long tests wait, where they write, and what they keep of what they have compiled.

A wait costs nothing once what is waited for has happened, so the waits are long: they only decide
how soon a failure is told. One factor scales them all, ``TEST_PATIENCE``. No test asserts how long
something took.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

# A machine of two quiet cores needs a factor of one.
FACTOR = float(os.environ.get("TEST_PATIENCE", "8"))
_MEMORY = Path("/dev/shm")
_ENOUGH = 6 * 2**30


def patient(seconds: float) -> float:
    """The wait, in seconds, for what takes ``seconds`` on a slow day of a quiet machine."""
    return seconds * FACTOR


def write_into_memory() -> None:
    """Put temporary files where no disk is waited for: thousands of small databases are made, and
    each of their commits waits for the disk. A machine without the room for it keeps its own."""
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK):
        return
    if shutil.disk_usage(_MEMORY).free >= _ENOUGH:
        os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)


def keep_compiled() -> None:
    """Let this process and all that it starts keep what Python compiles, whatever the surroundings
    say: the program is started hundreds of times, and three quarters of a start would be that."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
