"""Does a running process answer? For health checks, so it costs next to nothing: no setting is
validated, no database and no queue is opened, and only the standard library is imported."""

import os
import socket
import tomllib
from collections.abc import Mapping
from typing import Any, Final

from worker.paths import config_dir

PARTS: Final = ("any", "web", "worker", "scheduler")
# Section, field and default of each part's port; the path that it answers.
_PORTS: Final = {
    "web": ("web", "port", 8800),
    "worker": ("metrics", "worker_port", 9191),
    "scheduler": ("metrics", "scheduler_port", 9192),
}
_TIMEOUT: Final = 2.0


def living(part: str, environ: Mapping[str, str] = os.environ) -> dict[str, bool]:
    """By part (one of ``PARTS``): did its process answer a request?"""
    wanted = _PORTS if part == "any" else {part: _PORTS[part]}
    values = _values()
    return {name: _answers(name, values, environ) for name in wanted}


def _values() -> dict[str, Any]:
    try:
        return tomllib.loads((config_dir() / "vigencia.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # the environment may still say where
        return {}


def _answers(part: str, values: Mapping[str, Any], environ: Mapping[str, str]) -> bool:
    section, field, default = _PORTS[part]
    own = values.get(section)
    found = own if isinstance(own, dict) else {}
    prefix = f"VIGENCIA_{section.upper()}__"
    host = environ.get(f"{prefix}HOST") or found.get("host") or "127.0.0.1"
    port = environ.get(f"{prefix}{field.upper()}") or found.get(field, default)
    if part == "web":
        port = environ.get("PORT") or port
    try:
        return _ask(_here(str(host)), int(port))
    except (OSError, ValueError, OverflowError):
        return False


def _here(host: str) -> str:
    """Who listens everywhere answers here."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - nothing is bound


def _ask(host: str, port: int) -> bool:
    """Any answer in HTTP shows a process that works on requests."""
    with socket.create_connection((host, port), timeout=_TIMEOUT) as line:
        line.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        return line.recv(5).startswith(b"HTTP/")
