"""Who looks at the books, and what of them he may see and do."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a person may do in one book; each may do what stands before it, too."""

    VIEWER = "viewer"  # looks; numbers and addresses are masked
    OPERATOR = "operator"  # records events, imports, decides about messages, reveals a number
    ADMIN = "admin"  # users, keys, removal, and what is never undone


_RANK = {role: rank for rank, role in enumerate(Role)}


@dataclass(frozen=True)
class Viewer:
    """Whoever asks, made once a request from a session or a key; the console reads through it.

    A book that is not in ``roles`` does not exist for him: its rows are answered as if there were
    none. ``roles`` maps the ids of books to what he may do there.
    """

    name: str
    roles: Mapping[int, Role]

    @property
    def books(self) -> tuple[int, ...]:
        """The ids of the books that he may look at, in order."""
        return tuple(sorted(self.roles))

    def may(self, role: Role, book_id: int) -> bool:
        """Whether he may do in the book ``book_id`` what ``role`` may do."""
        held = self.roles.get(book_id)
        return held is not None and _RANK[held] >= _RANK[role]

    def acting(self, role: Role) -> "Viewer":
        """The same person in those books alone where he may do what ``role`` may do."""
        return Viewer(self.name, {k: v for k, v in self.roles.items() if self.may(role, k)})

    def only(self, book_id: int) -> "Viewer":
        """The same person looking at one book: none at all where it is not his."""
        return Viewer(self.name, {k: v for k, v in self.roles.items() if k == book_id})
