"""What all emails carry beside their texts: where answers go."""

from dataclasses import dataclass
from typing import Final

from worker.providers.mime import answerable


@dataclass(frozen=True, slots=True)
class Mailing:
    """What is true of all emails. ``reply_to``: where answers go, whatever the card book."""

    reply_to: str | None = None

    def answers_to(self, guardian: str | None) -> str | None:
        """Where a holder's answer to an email goes: to a person, never to the sender if it can be
        helped. A guardian's address that providers may refuse would cost the email itself."""
        return self.reply_to or (guardian if guardian and answerable(guardian) else None)


# Nothing beside the texts.
PLAIN: Final = Mailing()
