"""A new file that is whole or not there, and that only its owner can read."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from xlsxwriter.exceptions import XlsxWriterException

from worker.errors import CardBookError


class NameTakenError(CardBookError):
    """A file of this name exists, and was not touched."""


@contextmanager
def new_file(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A name to write to; the file moves to ``path`` when all of it is written, readable for its
    owner alone (mode 0600).

    Raises CardBookError if ``path`` exists and ``overwrite`` is not set, or the disk says no; then
    nothing is left behind and a former file stays as it was.
    """
    _refuse_existing(path, overwrite)
    try:
        # In the same folder, so that the move is one step; private, since rows are spooled there.
        with tempfile.TemporaryDirectory(prefix=".vigencia-", dir=path.absolute().parent) as folder:
            temporary = Path(folder, path.name)
            yield temporary
            temporary.chmod(0o600)
            _settle(temporary)
            _move(temporary, path, overwrite)
    except (OSError, XlsxWriterException) as error:
        raise _unwritable(path, error) from error


def _refuse_existing(path: Path, overwrite: bool) -> None:
    if path.is_dir():
        raise CardBookError(f"{path.name} is a folder", "name a file in it")
    if not overwrite and os.path.lexists(path):
        raise _exists(path)


def _settle(temporary: Path) -> None:
    """Onto the disk before the move: else a power cut may leave an empty file under the name."""
    with temporary.open("rb") as file:
        os.fsync(file.fileno())


def _move(temporary: Path, path: Path, overwrite: bool) -> None:
    if not overwrite:
        # Claims the name: whoever made it a moment ago keeps their file.
        try:
            path.open("xb").close()
        except FileExistsError:
            raise _exists(path) from None
    try:
        temporary.replace(path)
    except OSError:
        if not overwrite:
            with suppress(OSError):
                path.unlink()
        raise


def _exists(path: Path) -> NameTakenError:
    return NameTakenError(
        f"{path.name} exists already", "give another name, or add --overwrite to replace it"
    )


def _unwritable(path: Path, error: Exception) -> CardBookError:
    cause: object = error
    while isinstance(cause, Exception) and not isinstance(cause, OSError) and cause.args:
        cause = cause.args[0]
    reason = (cause.strerror if isinstance(cause, OSError) else None) or str(cause)
    return CardBookError(
        f"{path.name} cannot be written: {reason}",
        "check that its folder exists, that you may write to it and that its disk is not full",
    )
