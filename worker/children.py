"""Child processes that do not outlive us, even if we are killed."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

_PR_SET_PDEATHSIG = 1  # prctl(2)
# Loaded before any fork: the child of a process with threads must not import.
_libc: Any = ctypes.CDLL(None) if sys.platform == "linux" else None


def spawn(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    on_parent_death: signal.Signals = signal.SIGTERM,
    stdout: IO[Any] | int | None = None,
    stderr: IO[Any] | int | None = None,
) -> subprocess.Popen[bytes]:
    """Start ``command``; on Linux the kernel sends it ``on_parent_death`` when the thread that
    started it ends, whatever ended it. Elsewhere only an orderly end reaches it."""
    return subprocess.Popen(
        [str(part) for part in command],
        env=dict(env) if env is not None else None,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,  # Ctrl-C is for us; we stop our children in order
        preexec_fn=_die_with_parent(on_parent_death),
        umask=0o077,  # what they write holds names, numbers and addresses
    )


def _die_with_parent(death: signal.Signals) -> Callable[[], None] | None:
    if _libc is None:
        return None

    parent = os.getpid()

    def prepare() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(death), 0, 0, 0)
        if os.getppid() != parent:  # it was gone before the kernel was asked
            os._exit(1)

    return prepare


def stop(child: subprocess.Popen[bytes], seconds: float) -> int:
    """Ask ``child`` to end, insist after ``seconds``; returns its exit code."""
    if child.poll() is None:
        child.terminate()
    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()


class KeptProcess(ABC):
    """A child process that is started again whenever it ends before it should, from ``with`` to
    its end; then it is asked to end, and made to after ``patience`` seconds."""

    def __init__(self, name: str, patience: float, stopping: threading.Event | None = None) -> None:
        self._patience, self._stopping = patience, stopping or threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        # The thread that starts it must live as long as it does: the kernel ends the child with it.
        self._keeper = threading.Thread(target=self._keep, name=name, daemon=True)

    @abstractmethod
    def start(self) -> "subprocess.Popen[bytes]":
        """Start it once."""

    @abstractmethod
    def ended(self, exit_code: int) -> None:
        """It has ended by itself: tell whoever must know."""

    @abstractmethod
    def pause(self, lived: float) -> float:
        """Seconds before the next start of one that ended after ``lived`` seconds."""

    def started(self) -> None:  # noqa: B027 - most have nothing to wait for
        """It has just been started; a class that waits for it to answer does that here."""

    @property
    def pid(self) -> int | None:
        """The process that runs now."""
        child = self._child
        return child.pid if child is not None and child.poll() is None else None

    def __enter__(self) -> Self:
        self._keeper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._keeper.join()

    def _keep(self) -> None:
        while not self._stopping.is_set():
            born = time.monotonic()
            self._child = self.start()
            self.started()
            while self._child.poll() is None and not self._stopping.wait(0.05):
                pass
            if self._stopping.is_set():
                break
            self.ended(self._child.returncode)
            self._stopping.wait(self.pause(time.monotonic() - born))
        if self._child is not None:
            stop(self._child, self._patience)


_master = 0


def fork_from_here() -> None:
    """Remember this process as the one that the processes forked from now on belong to."""
    global _master
    _master = os.getpid()


def end_with_master(seconds: float) -> None:
    """In a fork: end when the process ends that it belongs to, however that ends. First it is asked
    to (SIGTERM), after ``seconds`` it is made to: it may wait for ever for something that only
    the dead one could give."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if orphaned():
        os._exit(1)  # an orderly end would tell the dead one, and wait for its answer

    def watch() -> None:
        while not orphaned():
            time.sleep(1)
        time.sleep(seconds)
        os._exit(1)

    threading.Thread(target=watch, name="end-with-master", daemon=True).start()


def orphaned() -> bool:
    """In a fork: is the process gone that it belongs to?"""
    return _master != 0 and os.getppid() != _master
