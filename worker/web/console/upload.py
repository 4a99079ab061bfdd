"""A file that was sent with a form: read to a bounded end, and never by its name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request

CONTENT_TYPE: Final = "multipart/form-data"
# As much as the reader of card books takes.
MOST_BYTES: Final = 64 * 1024 * 1024
# Such a file on a slow line.
SECONDS: Final = 600.0
_MOST_FIELDS: Final = 40
_LONGEST_FIELD: Final = 256 * 1024
_LONGEST_NAME: Final = 120


@dataclass(frozen=True, slots=True)
class SentFile:
    """``name`` is what its owner calls it: for his eyes, never for a path."""

    name: str
    content: bytes


async def read(request: Request) -> tuple[Mapping[str, Sequence[str]], SentFile | None]:
    """The fields of the form, and its file, if one was chosen. 400 for a form that is none."""
    fields: dict[str, list[str]] = {}
    sent: SentFile | None = None
    try:
        async with request.form(
            max_files=1, max_fields=_MOST_FIELDS, max_part_size=_LONGEST_FIELD
        ) as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    content = await value.read()
                    if value.filename:
                        sent = SentFile(_named(value.filename), content)
                else:
                    fields.setdefault(name, []).append(value)
    except (MultiPartException, UnicodeError):
        raise HTTPException(400) from None
    return fields, sent


def _named(name: str) -> str:
    """The last part of what the browser calls it: some send a whole path."""
    last = name.replace("\\", "/").rpartition("/")[2]
    shown = "".join(letter for letter in last if letter.isprintable()).strip()
    return shown[-_LONGEST_NAME:] or "book"
