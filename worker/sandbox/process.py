"""A sandbox in a child process of its own, for the demo and the tests."""

import http.client
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from worker.children import spawn, stop
from worker.errors import UnreachableError
from worker.sandbox.credentials import HOST
from worker.sandbox.fault_rules import Rule
from worker.sandbox.webhooks import EVENTS_PATH, INBOUND_PATH

_POLL_S = 0.02
_STOP_S = 5.0


class SandboxProcess:
    """``python -m worker.sandbox`` on 127.0.0.1, from ``start()`` (or ``with``) to ``stop()``.

    ``url`` serves both APIs, and is what each SDK takes for its provider's. On Linux
    the child ends when the thread that started it ends, however it ends: start it from the main
    thread. ``web_url``: where a web process of Vigencia takes all webhooks of the account.
    ``clock_file`` is as in ``worker.sandbox.clock``.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        latency_ms: float = 0,
        seed: int = 0,
        clock_file: Path | None = None,
        faults: Sequence[Rule] = (),
        events_url: str | None = None,
        inbound_url: str | None = None,
        web_url: str | None = None,
        wait_s: float = 60,
    ) -> None:
        self._options = [f"--port={port}", f"--latency-ms={latency_ms}", f"--seed={seed}"]
        if clock_file is not None:
            self._options.append(f"--clock-file={clock_file.resolve()}")
        if web_url is not None:
            events_url, inbound_url = web_url + EVENTS_PATH, web_url + INBOUND_PATH
        if events_url is not None:
            self._options.append(f"--events-url={events_url}")
        if inbound_url is not None:
            self._options.append(f"--inbound-url={inbound_url}")
        self._options.append(f"--faults={json.dumps([rule.as_json() for rule in faults])}")
        self._wait_s = wait_s
        self._child: subprocess.Popen[bytes] | None = None
        self.url = ""

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return self._child.pid if self._child else None

    def start(self) -> Self:
        """Start the child and wait until it answers; raises ``UnreachableError``."""
        with tempfile.TemporaryDirectory(prefix="vigencia-sandbox-") as folder:
            port_file, errors = Path(folder, "port"), Path(folder, "errors")
            options = [f"--host={HOST}", f"--port-file={port_file}", *self._options]
            with errors.open("wb") as stderr:
                self._child = spawn(
                    [sys.executable, "-m", "worker.sandbox", *options],
                    on_parent_death=signal.SIGKILL,
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                )
            try:
                self.url = f"http://{HOST}:{self._wait(port_file)}"
            except TimeoutError:
                self.stop()
                told = errors.read_text("utf-8", "replace").strip()
                raise UnreachableError(f"The sandbox did not start. {told}") from None
        return self

    def stop(self) -> None:
        """End the child, gently and then not; may be called twice."""
        child, self._child = self._child, None
        if child is not None:
            stop(child, _STOP_S)

    def _wait(self, port_file: Path) -> int:
        """The port, once the child answers on it; raises ``TimeoutError``."""
        deadline = time.monotonic() + self._wait_s
        while time.monotonic() < deadline:
            if self._child is None or self._child.poll() is not None:
                break
            if port_file.exists() and _answers(port := int(port_file.read_text("ascii"))):
                return port
            time.sleep(_POLL_S)
        raise TimeoutError

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=1)
    try:
        connection.request("GET", "/sandbox/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
