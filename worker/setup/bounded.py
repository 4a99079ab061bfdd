"""Work on templates in a process of its own, which ends if one of them does not."""

import math
import mmap
import os
import pickle
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Final, NoReturn, TypeVar

from worker.content.bounds import told
from worker.content.errors import TemplateError
from worker.errors import ConfigError

T = TypeVar("T")

# Seconds of a processor for one template; the longest of ours takes a few milliseconds. A machine
# that is busy takes longer, but no more of these.
SECONDS: Final = 2
# Bytes for the name of a template.
_LONGEST: Final = 512
# How the kernel ends who has used up its time.
_OVER: Final = (signal.SIGXCPU, signal.SIGKILL)


def bounded(work: Callable[[], T], seconds: int = SECONDS) -> T:
    """What ``work`` returns, which must be picklable. It runs in a fork of this process, where the
    kernel ends it with the first template that needs more than ``seconds``: nothing in the process
    itself could stop a single long step of Python's own.

    Raises ``TemplateError`` that names this template, and a ``ConfigError`` of ``work``.
    """
    name, (reads, writes) = mmap.mmap(-1, _LONGEST), os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.close(reads)
        _work(work, seconds, name, writes)
    os.close(writes)
    with os.fdopen(reads, "rb") as answer:
        found = answer.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in _OVER:
        what = f"does not come to an end: {seconds} seconds of a processor were not enough"
        raise TemplateError(_name(name), None, what, "is there a loop in it, or a huge number?")
    if status != 0 or not found:
        what = f"ended the process that looked at it (status {status})"
        raise TemplateError(_name(name), None, what, "does it need more memory than there is?")
    error, answered = pickle.loads(found)  # noqa: S301 - from our own fork
    if error is not None:
        raise ConfigError(*error)
    return answered  # type: ignore[no-any-return]


def _work(work: Callable[[], object], seconds: int, name: mmap.mmap, answer: int) -> NoReturn:
    """In the fork: work, tell the answer, and be gone without what the parent does at its end."""
    code = 1
    try:
        # The usual end, also where somebody up there has chosen another.
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)

        def begin(template: str) -> None:
            name[:] = template.encode()[: _LONGEST - 1].ljust(_LONGEST, b"\0")
            used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
            _, hard = resource.getrlimit(resource.RLIMIT_CPU)
            resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(used) + seconds, hard))

        try:
            begin("")
            with told(begin):
                found = pickle.dumps((None, work()))
        except ConfigError as error:
            found = pickle.dumps(((error.message, error.hint), None))
        with os.fdopen(answer, "wb") as file:
            file.write(found)
        code = 0
    except Exception:  # a bug of ours
        traceback.print_exc()
    finally:
        os._exit(code)


def _name(name: mmap.mmap) -> str:
    return bytes(name).rstrip(b"\0").decode("utf-8", "replace") or "templates"
