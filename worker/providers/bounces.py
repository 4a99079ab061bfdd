"""What the class of a bounce's reason means, which is all that email providers tell of it.

Source: RFC 3463 and the registry of enhanced codes (IANA).
"""

from collections.abc import Sequence

from worker.core.outcomes import BAD, DEAD, LATER, Row

# The first row that the class begins with decides; what begins with no row is the provider's word
# that the address is dead.
_BOUNCES: Sequence[tuple[str, Row]] = (
    ("4.", LATER),
    ("5.1.7", LATER),  # what they think of the sender's address
    ("5.1.8", LATER),
    ("5.1.", DEAD),
    ("5.2.1", DEAD),
    ("5.2.2", LATER),
    ("5.2.3", BAD),  # larger than the mailbox takes
    ("5.2.", LATER),
    ("5.3.4", BAD),
    ("5.3.", LATER),  # their mail system
    ("5.4.1", DEAD),
    ("5.4.", LATER),  # the network between
    ("5.5.", LATER),  # the protocol between two servers
    ("5.6.", BAD),  # the content
    ("5.7.", LATER),  # a policy: says nothing of the mailbox
)


def bounced(enhanced: str) -> Row | None:
    """What the class of a bounce's reason (``5.1.1``) means, ``None`` if nothing is known of it."""
    return next((row for start, row in _BOUNCES if enhanced.startswith(start)), None)
