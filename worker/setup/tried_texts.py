"""Texts that have been compiled and tried once are kept for the processes that start after.

To compile and try all of them takes two seconds of a processor, and a service starts ten processes.
What is kept is code, as Python's own ``__pycache__`` is: it lies in a folder that nobody else can
write to, below the temporary ones, and is named after everything it was made from.
"""

import hashlib
import marshal
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from worker.content.compiled import Compiled

# Sets of texts that are kept: those of several installations, and of a few versions of each.
_MOST: Final = 8
_MADE_BY: Final = ("jinja2", "markupsafe", "mjml-python")
_WORKER: Final = Path(__file__).resolve().parents[1]
_ROOMS: Final = ("content", "core")


@dataclass(frozen=True, slots=True)
class TriedTexts:
    """What is kept of the templates below ``directory``, as they stand there now."""

    directory: Path

    def read(self) -> Compiled | None:
        """The texts, ``None`` where they are not kept. Never raises."""
        try:
            folder = _folder()
            with open(folder / self._name(), "rb", opener=_no_link) as file:
                if os.fstat(file.fileno()).st_uid != os.getuid():
                    return None
                return Compiled(*marshal.load(file))  # noqa: S302 - ours alone can write it
        except (OSError, ValueError, EOFError, TypeError):
            return None

    def write(self, compiled: Compiled) -> None:
        """Keep ``compiled``, at once and whole; where nothing can be written it is not kept."""
        values = (dict(compiled.sources), dict(compiled.converted), _plain(compiled.code))
        try:
            folder = _folder()
            handle, written = tempfile.mkstemp(dir=folder, prefix=".")
            with os.fdopen(handle, "wb") as file:
                marshal.dump(values, file)
            Path(written).replace(folder / self._name())
            _remove_oldest(folder)
        except OSError:
            return

    def _name(self) -> str:
        digest = hashlib.sha256(repr([sys.version, *map(version, _MADE_BY)]).encode())
        for part in (*_code(), *_files(self.directory)):
            digest.update(part)
        return digest.hexdigest()


def _folder() -> Path:
    """A folder of this user alone. Raises ``OSError`` where there is none."""
    folder = Path(tempfile.gettempdir()) / f"vigencia-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(folder)
    return folder


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)


def _code() -> Iterator[bytes]:
    """The parts of the program that decide what comes out of a template, as a checkout has them."""
    for room in _ROOMS:
        for path in sorted((_WORKER / room).rglob("*.py")):
            found = path.stat()
            yield f"{path}\0{found.st_mtime_ns}\0{found.st_size}\0".encode()


def _files(directory: Path) -> Iterator[bytes]:
    for path in sorted(directory.rglob("*.j2")):
        content = path.read_bytes()
        yield f"{path.relative_to(directory)}\0{len(content)}\0".encode()
        yield content


def _plain(code: Any) -> dict[str, dict[str, bytes]]:
    return {name: dict(one) for name, one in code.items()}


def _remove_oldest(folder: Path) -> None:
    kept = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in kept[_MOST:]:
        path.unlink(missing_ok=True)
