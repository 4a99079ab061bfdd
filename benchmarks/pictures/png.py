"""PNG files made small: a page of text has few colours, and a palette of them takes less room."""

import struct
import zlib
from collections import Counter
from collections.abc import Iterator

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def small(png: bytes, colours: int = 64) -> bytes:
    """The same picture in at most so many ``colours`` (up to 256). ``png``: 8 bits, RGB or RGBA,
    not interlaced."""
    chunks = list(_chunks(png))
    width, height, depth, kind, *_, interlaced = struct.unpack(">IIBBBBB", chunks[0][1])
    assert (depth, interlaced) == (8, 0)
    size = {2: 3, 6: 4}[kind]
    data = zlib.decompress(b"".join(body for name, body in chunks if name == b"IDAT"))
    pixels = _pixels(data, width * size, height, size)
    seen = [pixels[at : at + 3] for at in range(0, len(pixels), size)]
    palette = [colour for colour, _ in Counter(seen).most_common(colours)]
    nearest = {colour: _nearest(colour, palette) for colour in set(seen)}
    places = bytes(nearest[colour] for colour in seen)
    rows = b"".join(b"\0" + places[at : at + width] for at in range(0, len(places), width))
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = [(b"IHDR", head), (b"PLTE", b"".join(palette)), (b"IDAT", zlib.compress(rows, 9))]
    return _SIGNATURE + b"".join(_chunk(*part) for part in (*parts, (b"IEND", b"")))


def _nearest(colour: bytes, palette: list[bytes]) -> int:
    def distance(place: int) -> int:
        return sum((a - b) ** 2 for a, b in zip(colour, palette[place], strict=True))

    return min(range(len(palette)), key=distance)


def _pixels(data: bytes, width: int, height: int, size: int) -> bytes:
    """The bytes of all rows, unfiltered (PNG specification, 9.2); ``width`` in bytes."""
    rows, above = [], bytearray(width)
    for number in range(height):
        start = number * (width + 1)
        row = bytearray(data[start + 1 : start + 1 + width])
        _unfilter(data[start], row, above, size)
        rows.append(row)
        above = row
    return b"".join(rows)


def _unfilter(kind: int, row: bytearray, above: bytearray, size: int) -> None:
    if kind == 0:
        return
    for at in range(len(row)):
        left = row[at - size] if at >= size else 0
        if kind == 1:
            guess = left
        elif kind == 2:
            guess = above[at]
        elif kind == 3:
            guess = (left + above[at]) // 2
        else:
            guess = _paeth(left, above[at], above[at - size] if at >= size else 0)
        row[at] = (row[at] + guess) & 255


def _paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    return min((left, up, corner), key=lambda one: abs(guess - one))


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    assert png.startswith(_SIGNATURE)
    at = len(_SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += length + 12


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
