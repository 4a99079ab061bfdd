"""Where a request comes from, and where it believes to go. Pure functions of its headers.

A name that is not ours is how a page of somebody else's reaches a server on this machine (DNS
rebinding); an act that no page of ours asked for is a forged one (CSRF).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class Site:
    """The console's own addresses: that of ``public_url``, if there is one, and this machine."""

    public_url: str | None

    @property
    def secure(self) -> bool:
        """Is it reached by https?"""
        return (self.public_url or "").startswith("https:")

    def answers_to(self, host: str) -> bool:
        """Is ``host`` (a Host header) a name of ours?"""
        name = _without_port(host)
        return name is not None and (name in _LOOPBACK or self.is_public(host))

    def is_public(self, host: str) -> bool:
        """Is ``host`` the name in the public address?"""
        return self.public_url is not None and host.lower() == urlsplit(self.public_url).netloc

    def prefix(self, host: str) -> str:
        """What stands before every path: the public address may have one."""
        if self.public_url is None or not self.is_public(host):
            return ""
        return urlsplit(self.public_url).path.rstrip("/")

    def forged(self, method: str, headers: Mapping[str, str]) -> bool:
        """Was an act asked for by a page that is not ours? Browsers tell it by Sec-Fetch-Site; an
        old one by Origin alone."""
        if method in _SAFE:
            return False
        if (site := headers.get("sec-fetch-site")) is not None:
            return site != "same-origin"
        origin, host = headers.get("origin"), headers.get("host", "")
        if origin is None:
            return True
        if self.public_url is not None and self.is_public(host):
            parts = urlsplit(self.public_url)
            return origin != f"{parts.scheme}://{parts.netloc}"
        return origin != f"http://{host}"


def _without_port(host: str) -> str | None:
    """The name in a Host header; ``None`` for what is none."""
    name, colon, port = host.lower().rpartition(":")
    if not colon or host.endswith("]"):
        return host.lower()
    return name if port.isascii() and port.isdigit() else None


def asker(peer: str, forwarded: str, trusted: Sequence[str]) -> str:
    """The address of who asks: ``peer``, or whom a server that is trusted names in ``forwarded``
    (X-Forwarded-For). Each server adds to the right; what stands left of ours anybody may write."""
    for named in [peer, *reversed(forwarded.split(","))]:
        try:
            address = ip_address(named.strip())
        except ValueError:
            return peer
        if not any(address in ip_network(one) for one in trusted):
            return str(address)
    return peer
