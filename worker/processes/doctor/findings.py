"""What an examination finds."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One thing that was looked at; ``hint`` is the next step where there is one."""

    name: str
    state: Literal["ok", "warning", "error"]
    message: str
    hint: str = ""
