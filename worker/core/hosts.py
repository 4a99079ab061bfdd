"""Which hosts are this machine."""

from ipaddress import ip_address


def is_here(host: str) -> bool:
    """Is ``host`` this machine?"""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_unspecified
