"""The pictures of emails and pages: small files of the same colours, and none without a browser."""

import shutil
import struct
import zlib
from pathlib import Path

import pytest

from benchmarks.pictures.__main__ import main
from benchmarks.pictures.png import small

COLOURS = [(200, 16, 46), (255, 255, 255), (0, 0, 0), (16, 90, 80)]
WIDTH, HEIGHT = 8, 5
PICTURE = [[COLOURS[(x * y + x) % 4] for x in range(WIDTH)] for y in range(HEIGHT)]


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(kind: int, data: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, kind, 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(data)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def filtered(alpha: bool) -> bytes:
    """Each row by another filter of the PNG specification (9.2): none, sub, up, average, Paeth."""
    size = 4 if alpha else 3
    above, out = [0] * (WIDTH * size), b""
    for kind, pixels in enumerate(PICTURE):
        row = [part for pixel in pixels for part in (*pixel, 255)[:size]]
        left = [0] * size + row[:-size]
        corner = [0] * size + above[:-size]
        guesses = {
            0: [0] * len(row),
            1: left,
            2: above,
            3: [(a + b) // 2 for a, b in zip(left, above, strict=True)],
            4: [paeth(*three) for three in zip(left, above, corner, strict=True)],
        }[kind]
        out += bytes([kind, *((a - b) % 256 for a, b in zip(row, guesses, strict=True))])
        above = row
    return out


def paeth(a: int, b: int, c: int) -> int:
    p = a + b - c
    pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
    if pa <= pb and pa <= pc:
        return a
    return b if pb <= pc else c


@pytest.mark.parametrize("alpha", [False, True])
def test_a_picture_of_few_colours_stays_as_it_is(alpha: bool) -> None:
    made = small(png(6 if alpha else 2, filtered(alpha)))
    palette = made[made.index(b"PLTE") + 4 :][: 3 * len(COLOURS)]
    (length,) = struct.unpack(">I", made[made.index(b"IDAT") - 4 :][:4])
    rows = zlib.decompress(made[made.index(b"IDAT") + 4 :][:length])
    assert len(rows) == HEIGHT * (WIDTH + 1)
    found = [
        [tuple(palette[3 * place : 3 * place + 3]) for place in rows[at + 1 : at + 1 + WIDTH]]
        for at in range(0, len(rows), WIDTH + 1)
    ]
    assert found == PICTURE


def test_without_a_browser_nothing_is_done_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert main(tmp_path / "pictures") == 0
    assert capsys.readouterr().out.startswith("skipped: there is no Chromium here")
    assert not (tmp_path / "pictures").exists()
