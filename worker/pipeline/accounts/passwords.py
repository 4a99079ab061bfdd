"""Passwords: what one must be, and how it is kept.

Argon2id with 19 MiB, two passes and one lane: the first choice of OWASP's Password Storage Cheat
Sheet. The text that is kept names its own parameters (the PHC form), so they can be raised later.
"""

import os
import threading
import unicodedata
from functools import cache
from typing import Final

from worker.errors import VigenciaError

# ASVS 5.0, 6.2.1 and 6.2.9: no composition rules; longer ones than this only cost us time.
SHORTEST: Final = 12
_LONGEST: Final = 256
_MEMORY_KIB: Final = 19 * 1024
_PASSES: Final = 2
# Each takes some 20 MiB and a processor: others wait their turn.
_AT_ONCE: Final = threading.BoundedSemaphore(2)


class WeakPasswordError(VigenciaError):
    """It is too easy to guess."""

    code = "password"


def require_strong(password: str, name: str) -> None:
    """Raise ``WeakPasswordError`` for a password of the user ``name`` that is easily guessed."""
    plain = _normal(password)
    if not SHORTEST <= len(plain) <= _LONGEST:
        raise WeakPasswordError(
            f"A password has {SHORTEST} to {_LONGEST} characters.", "Some words in a row are good."
        )
    told = plain.casefold()
    if len(set(told)) < 5 or name.casefold() in told or "vigencia" in told:
        raise WeakPasswordError(
            "That password is easily guessed.",
            "Take some words that have to do neither with your name nor with this program.",
        )


def hashed(password: str) -> str:
    """What is kept of ``password``."""
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    with _AT_ONCE:
        made = Argon2id(
            salt=os.urandom(16), length=32, iterations=_PASSES, lanes=1, memory_cost=_MEMORY_KIB
        )
        return made.derive_phc_encoded(_normal(password).encode())


def fits(password: str, kept: str | None) -> bool:
    """Is it the password of which ``kept`` was made? Without ``kept`` the work is the same, so that
    nobody can tell by the time which names there are."""
    from cryptography.exceptions import InvalidKey
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    given = _normal(password[: 4 * _LONGEST]).encode()
    compared = kept or _nobodys()
    with _AT_ONCE:
        try:
            Argon2id.verify_phc_encoded(given, compared)
        except InvalidKey:
            return False
    return kept is not None


def _normal(password: str) -> str:
    """One form of what a keyboard may give in several (NIST SP 800-63B, 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


@cache
def _nobodys() -> str:
    return hashed(os.urandom(16).hex())
