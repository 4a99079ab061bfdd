"""Who does something to a card or a message, as its trail names him."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Source(StrEnum):
    """The door that it came in by."""

    CLI = "cli"
    KEEPER = "keeper"
    API = "api"
    LINK = "link"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class Actor:
    """A person or a program, ``name`` as its door knows it: nobody signs in to the command line,
    and a holder is named by the card."""

    source: Source
    name: str | None = None

    def trail(self) -> Mapping[str, str]:
        """What the detail of a card's event says of him."""
        named = {} if self.name is None else {"by": self.name}
        return {"source": self.source.value, **named}


CLI = Actor(Source.CLI)
HOLDER = Actor(Source.LINK)
