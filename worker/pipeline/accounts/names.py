"""What a user is called: one name, however it is typed."""

import unicodedata

from worker.errors import VigenciaError

_LONGEST = 100


def folded(name: str) -> str:
    """The form in which a name is kept and looked for."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def require_name(name: str) -> str:
    """The kept form of a new name. Raises ``VigenciaError`` for what is none."""
    kept = folded(name)
    visible = all(unicodedata.category(c)[0] not in "CZ" for c in kept)
    if not kept or len(kept) > _LONGEST or not visible:
        raise VigenciaError(
            "A user's name is one word of at most 100 characters.",
            "Take a short name, or an email address.",
        )
    return kept
