"""What a run cost: processor time and peak memory of the workers, from /proc."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cost:
    """``cpu`` in seconds since the processes began; ``peak_mb`` of the largest of them."""

    cpu: float
    peak_mb: float


def cost(pids: Iterable[int]) -> Cost:
    """Of the processes ``pids`` and all their descendants."""
    family = {member for pid in pids for member in _family(pid)}
    found = [(_cpu(pid), _peak(pid)) for pid in family]
    return Cost(sum(cpu for cpu, _ in found), max((peak for _, peak in found), default=0.0))


def _family(pid: int) -> list[int]:
    children = _read(pid, f"task/{pid}/children").split()
    return [pid, *(member for child in children for member in _family(int(child)))]


def _cpu(pid: int) -> float:
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:13]) / _TICKS if fields else 0.0


def _peak(pid: int) -> float:
    for line in _read(pid, "status").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError:  # it has ended
        return ""
