"""GETs with a secret in their address or head: it is carried to no place that an answer names."""

import urllib.request
from typing import Any, Final

_SECONDS: Final = 10.0


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        """Do not follow; the answer then counts as a failure."""


def get(request: "str | urllib.request.Request", most: int) -> bytes:
    """The first ``most`` bytes of the answer. Raises ``HTTPError`` (an ``OSError``) where it is
    anything but a success, and ``OSError`` or ``HTTPException`` where there is none."""
    # https, or this machine: the settings made sure of it.
    with urllib.request.build_opener(_NoRedirect).open(request, timeout=_SECONDS) as answer:
        found: bytes = answer.read(most)
        return found
