"""The records of binary workbooks: xls (BIFF8 in a compound file) and xlsb (BIFF12 in a zip).

Sources: [MS-CFB] 2, [MS-XLS] 2.1.4, [MS-XLSB] 2.1.4. Whoever reads a damaged file with these may
meet any of struct.error, IndexError, ValueError and StopIteration.
"""

import struct
from collections.abc import Iterator, Sequence

_LAST_SECTOR = 0xFFFFFFFA
_MINI = 64


def xls_stream(data: bytes) -> bytes:
    """The stream ``Workbook`` of a compound file."""
    size = 1 << struct.unpack_from("<H", data, 30)[0]
    first_directory, least, first_mini = struct.unpack_from("<I4xII", data, 48)
    fat = _numbers(data, size, _fat_sectors(data, size))
    directory = _joined(data, size, _chain(fat, first_directory))
    entries = [directory[at : at + 128] for at in range(0, len(directory) - 127, 128)]
    entry = next(entry for entry in entries if _name(entry) in ("workbook", "book"))
    start, length = struct.unpack_from("<II", entry, 116)
    if length >= least:
        return _joined(data, size, _chain(fat, start))[:length]
    # A short stream lies in pieces within the one of the root entry.
    minis = _joined(data, size, _chain(fat, struct.unpack_from("<I", entries[0], 116)[0]))
    table = _numbers(data, size, _chain(fat, first_mini))
    return b"".join(minis[n * _MINI :][:_MINI] for n in _chain(table, start))[:length]


def xls_records(stream: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Kind and content of each record of the substream at ``at``, without a chart's within it."""
    depth = 0
    while at + 4 <= len(stream):
        kind, size = struct.unpack_from("<2H", stream, at)
        depth += (kind == 0x809) - (kind == 0x0A)
        if depth == 1:
            yield kind, stream[at + 4 : at + 4 + size]
        elif depth < 1:
            return
        at += 4 + size


def xlsb_records(part: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and content of each record."""
    at = 0
    while at < len(part):
        kind, at = _varint(part, at, 2)
        size, at = _varint(part, at, 4)
        yield kind, part[at : at + size]
        at += size


def _fat_sectors(data: bytes, size: int) -> list[int]:
    listed = list(struct.unpack_from("<109I", data, 76))
    following = struct.unpack_from("<I", data, 68)[0]
    for _ in range(len(data) // size):
        if following >= _LAST_SECTOR:
            break
        *more, following = _numbers(data, size, [following])
        listed += more
    return [number for number in listed if number < _LAST_SECTOR]


def _joined(data: bytes, size: int, sectors: Iterator[int] | Sequence[int]) -> bytes:
    return b"".join(data[(n + 1) * size : (n + 2) * size] for n in sectors)


def _numbers(data: bytes, size: int, sectors: Iterator[int] | Sequence[int]) -> tuple[int, ...]:
    joined = _joined(data, size, sectors)
    return struct.unpack(f"<{len(joined) // 4}I", joined[: len(joined) // 4 * 4])


def _chain(table: Sequence[int], at: int) -> Iterator[int]:
    # No chain is longer than its table, unless it runs in a circle: the library would follow it
    # until its memory ends.
    for _ in range(len(table) + 1):
        if at >= len(table):
            return
        yield at
        at = table[at]
    raise ValueError("a chain of sectors runs in a circle")


def _name(entry: bytes) -> str:
    length: int = struct.unpack_from("<H", entry, 64)[0]
    return entry[: max(length - 2, 0)].decode("utf-16-le", "replace").casefold()


def _varint(part: bytes, at: int, most: int) -> tuple[int, int]:
    value = 0
    for place in range(most):
        byte = part[at]
        at += 1
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            break
    return value, at
