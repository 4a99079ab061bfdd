"""The verdicts of the account as pages ask for them: alone, or several under one word."""

from collections.abc import Mapping
from typing import Final

from worker.core.promise import BROKEN, Class

_NOT_OWED: Final = (Class.SUPPRESSED, Class.SUPERSEDED)
OWED: Final = tuple(one for one in Class if one not in _NOT_OWED)
LATE: Final = (Class.LATE, Class.OVERDUE)
# What stands in an address, and which verdicts it means; each is a word of the group `verdict`.
ASKED: Final[Mapping[str, tuple[Class, ...]]] = {
    "owed": OWED,
    "on_time": (Class.ON_TIME,),
    "late": LATE,
    "waiting": (Class.WAITING,),
    "missed": BROKEN,
    "suppressed": (Class.SUPPRESSED,),
    "superseded": (Class.SUPERSEDED,),
}
TONES: Final[Mapping[str, str]] = {
    Class.ON_TIME: "good",
    Class.LATE: "care",
    Class.OVERDUE: "care",
    **dict.fromkeys(BROKEN, "bad"),
}
