"""Where worker processes write what they count: prometheus_client has a file for each of them."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

_COUNTS = "PROMETHEUS_MULTIPROC_DIR"
_PREFIX = "vigencia-metrics-"


@contextmanager
def not_counted() -> Iterator[None]:
    """Nothing is counted."""
    os.environ.pop(_COUNTS, None)
    yield


@contextmanager
def counted() -> Iterator[None]:
    """An empty folder for the files with counts, one for each process, named in the environment
    before prometheus_client is imported; counts of processes that have ended are not carried on."""
    if given := os.environ.get(_COUNTS):
        folder = Path(given)
        folder.mkdir(parents=True, exist_ok=True)
        for file in folder.glob("*.db"):
            file.unlink(missing_ok=True)
        yield
        return
    try:
        _remove_left_behind()
        made = tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-")
    except OSError as error:  # a full disk: what is sent matters more than what is counted
        log.warning("metrics_not_counted", reason=type(error).__name__)
        with not_counted():
            yield
        return
    with made as name:
        os.environ[_COUNTS] = name
        yield


def _remove_left_behind() -> None:
    """Folders of commands that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        try:
            ours = folder.stat().st_uid == os.getuid()
        except OSError:  # somebody else removed it just now
            continue
        if ours and pid.isascii() and pid.isdigit() and not _runs(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
