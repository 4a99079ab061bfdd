"""Tokens that sign in: random, known to the browser alone, and kept as their hash."""

import hashlib
import hmac
import secrets
from typing import Final

_BYTES: Final = 32


def new_token() -> str:
    """256 random bits, as text for a cookie or an address."""
    return secrets.token_urlsafe(_BYTES)


def kept(token: str) -> str:
    """What is stored of a token: nobody who reads the database can sign in by it."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def bucket_key(secret: bytes, kind: str, what: str) -> str:
    """What stands for a name or an address that somebody tried."""
    return hmac.new(
        secret, f"{kind}\0{what}".encode("utf-8", "replace"), hashlib.sha256
    ).hexdigest()
