"""Where the web process listens."""

import socket
from typing import Final

from worker.errors import ConfigError

# Connections that may wait for us to accept them.
_BACKLOG: Final = 1024


def listen(host: str, port: int) -> socket.socket:
    """A socket that waits for connections; port 0 takes a free one. Raises ``ConfigError``."""
    try:
        [(family, *_, address), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ConfigError(
            f"The web process cannot listen on {host}:{port}: {error.strerror}.",
            "Another process may hold the port: set VIGENCIA_WEB__PORT (0 takes a free one).",
        ) from None


def address_of(sock: socket.socket) -> str:
    """Where ``sock`` answers on this machine, as http://host:port."""
    host, port = sock.getsockname()[:2]
    return address_at(host, port)


def address_at(host: str, port: int) -> str:
    """Where who listens on ``host`` and ``port`` answers on this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - it is not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
