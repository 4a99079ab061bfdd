"""What a look at texts and rules finds."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One finding: where (``line`` from 1, 0 where a file as a whole is meant), by which ``rule``,
    about which ``key`` (an event and language, or a key of a TOML file)."""

    file: str
    line: int
    severity: Severity
    rule: str
    key: str
    message: str
