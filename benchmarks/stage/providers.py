"""The stand-in for the providers as a process of its own, and how it is told what to do."""

import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class Providers:
    """``benchmarks.stage.stand_in`` in a child process, from ``with`` to its end. ``urls`` are by
    channel; ``url`` is for who has one address for both."""

    def __enter__(self) -> "Providers":
        self._folder = tempfile.TemporaryDirectory(prefix="vigencia-stand-in-")
        file = Path(self._folder.name, "ports")
        command = [sys.executable, "-m", "benchmarks.stage.stand_in", str(file)]
        self._child = subprocess.Popen(command, cwd=ROOT)
        give_up = time.monotonic() + 20
        while not file.exists() and time.monotonic() < give_up:
            time.sleep(0.01)
        ports = json.loads(file.read_text())
        self.urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        self.url = self.urls["email"]
        return self

    def __exit__(self, *_: object) -> None:
        self._child.terminate()
        self._child.wait(10)
        self._folder.cleanup()

    def set(self, **channels: dict[str, Any]) -> None:
        """How they behave from now on."""
        self._call("PUT", channels)

    def reset(self, latency: float = 0.1, errors: float = 0.0) -> None:
        """Forget everything; answer after ``latency`` seconds, and refuse a share of calls."""
        new = {"forget": True, "latency": latency, "errors": errors}
        new |= {"status": 200, "reachable": True}
        self.set(sms=new, email=new)

    def told(self) -> dict[str, Any]:
        """What came to each."""
        found: dict[str, Any] = self._call("GET", None)
        return found

    def took(self, channel: str) -> list[str]:
        """The addresses of what was accepted, in order."""
        return [address for address, _ in self.told()[channel]["took"]]

    def count(self, channel: str) -> int:
        """How many different addresses were told."""
        return int(self._call("GET", None, "/counts")[channel]["unique"])

    def counts(self) -> dict[str, Any]:
        """How much came to both together, and when the last of it did."""
        sms, email = self._call("GET", None, "/counts").values()
        both = {name: sms[name] + email[name] for name in sms}
        return both | {"last": max(sms["last"], email["last"])}

    def wait_for(
        self, accepted: int, seconds: float, meanwhile: Callable[[], None] | None = None
    ) -> dict[str, Any]:
        """The counts once ``accepted`` sends were taken, or after ``seconds``; ``meanwhile`` is
        called about twice a second."""
        give_up, turn = time.monotonic() + seconds, 0
        while self.counts()["accepted"] < accepted and time.monotonic() < give_up:
            time.sleep(0.02)
            turn += 1
            if meanwhile and turn % 25 == 0:
                meanwhile()
        # A duplicate may still be on its way.
        time.sleep(0.3)
        return self.counts()

    def _call(self, method: str, body: object, more: str = "") -> Any:
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.url}/stub{more}", data, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            return json.load(answer)
