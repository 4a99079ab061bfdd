"""The program's processes in the storm: kept running, and killed one by one."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from worker.children import KeptProcess, spawn
from worker.processes.supervise import VIGENCIA

_STOP_SECONDS = 10.0


class StormProcess(KeptProcess):
    """``vigencia ARGUMENTS``, started again as soon as it ends, from ``with`` to its end."""

    def __init__(self, arguments: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        super().__init__(" ".join(arguments), _STOP_SECONDS)
        self._command, self._env, self._log = [*VIGENCIA, *arguments], env, log

    def start(self) -> "subprocess.Popen[bytes]":
        """All that it prints goes into one file."""
        return spawn(self._command, env=self._env, stdout=self._output, stderr=self._output)

    def ended(self, exit_code: int) -> None:
        """It was killed; that is what a storm is for."""

    def pause(self, lived: float) -> float:
        """Supervisors wait about so long."""
        return 0.2

    def _keep(self) -> None:
        with self._sink() as self._output:
            super()._keep()

    @contextmanager
    def _sink(self) -> Iterator[IO[bytes]]:
        """Where it writes: a process of its own fills the file, so that a process whose disk is
        full can still tell of it."""
        with self._log.open("ab") as file:
            reads, writes = os.pipe()
            filler = subprocess.Popen(["cat"], stdin=reads, stdout=file)  # noqa: S607
            os.close(reads)
            with os.fdopen(writes, "wb") as sink:
                yield sink
            filler.wait()


class Company:
    """All processes of the storm, and who of them is alive."""

    def __init__(self, kept: Sequence[StormProcess]) -> None:
        self._kept = kept
        self._stack = ExitStack()
        self.kills = 0

    def __enter__(self) -> "Company":
        for one in self._kept:
            self._stack.enter_context(one)
        return self

    def __exit__(self, *_: object) -> None:
        self.thaw()  # who stands still hears nothing
        # All at once: each takes seconds to end.
        enders = [threading.Thread(target=one.__exit__) for one in self._kept]
        for ender in enders:
            ender.start()
        for ender in enders:
            ender.join()

    def kill_one(self, pick: float) -> None:
        """SIGKILL one of the processes, or of their children; ``pick`` (0..1) chooses."""
        victim = self._victim(pick)
        if victim and _tell(victim, signal.SIGKILL):
            self.kills += 1

    def freeze_one(self, pick: float) -> Callable[[], None]:
        """SIGSTOP one of them, chosen as by ``kill_one``; returns what lets it go on."""
        victim = self._victim(pick)
        if victim:
            _tell(victim, signal.SIGSTOP)
        return lambda: None if victim is None else _thaw(victim)

    def pids(self) -> list[int]:
        """All processes that are alive."""
        return sorted(pid for one in self._kept if one.pid for pid in _family(one.pid))

    def thaw(self) -> None:
        """Let all go on that stand still."""
        for pid in self.pids():
            _thaw(pid)

    def _victim(self, pick: float) -> int | None:
        alive = self.pids()
        return alive[int(pick * len(alive))] if alive else None


def _tell(pid: int, word: signal.Signals) -> bool:
    """Send ``word`` to ``pid``; ``False`` if it has ended by itself this moment."""
    try:
        os.kill(pid, word)
    except ProcessLookupError:
        return False
    return True


def _thaw(pid: int) -> None:
    _tell(pid, signal.SIGCONT)


def _family(pid: int) -> Iterator[int]:
    """A process and all its descendants, from /proc."""
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    except OSError:
        return
    for child in children:
        yield from _family(int(child))
