"""Addresses on the web, and which of them are this machine."""

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit


def is_here(host: str) -> bool:
    """Is ``host`` this machine?"""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_unspecified


def web_parts(url: str) -> SplitResult | None:
    """The parts of an http or https address; ``None`` where ``url`` is none."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:  # brackets that do not close, a port that is no number
        return None
    return parts if parts.scheme in ("http", "https") and host else None


def leads_here(url: str) -> bool:
    """Does the address ``url`` lead to this machine?"""
    parts = web_parts(url)
    return parts is not None and is_here(parts.hostname or "")
