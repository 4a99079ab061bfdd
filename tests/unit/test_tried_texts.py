"""Texts that were tried once are taken as they are, while they and the program stay the same."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.content_helpers import content
from worker.content.render import Content
from worker.content.samples import sample_letters
from worker.errors import ConfigError
from worker.paths import shipped
from worker.setup import load_texts
from worker.setup.load_texts import try_texts
from worker.setup.tried_texts import TriedTexts

SMS = "plan_end_near/es-PE/sms.txt.j2"


@pytest.fixture
def right() -> Content:
    """The shipped texts, compiled before a test has a place of its own to keep some."""
    return content()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, right: Content) -> Path:
    """A copy of the shipped templates, and a place for temporary files that holds nothing."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    shutil.copytree(shipped("templates"), tmp_path / "templates")
    return tmp_path / "templates"


@pytest.fixture
def tried(place: Path, right: Content, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Which folders were compiled and tried. What comes out is that of the shipped texts, but for
    those that hold what no text may."""
    found: list[Path] = []

    def load(directory: Path) -> Content:
        found.append(directory)
        wrong = "{{ missing }}" in (directory / SMS).read_text("utf-8")
        return compile_texts(directory) if wrong else right

    def bounded(work: Callable[[], Any]) -> Any:
        return work()

    compile_texts = Content.load
    monkeypatch.setattr(load_texts, "bounded", bounded)
    monkeypatch.setattr(Content, "load", load)
    return found


def kept(place: Path) -> list[Path]:
    return list((place.parent / "temporary").glob("vigencia-*/*"))


def test_what_is_restored_says_the_same(place: Path) -> None:
    fresh = Content.load(place)
    TriedTexts(place).write(fresh.compiled)
    compiled = TriedTexts(place).read()
    assert compiled is not None
    restored = Content.restore(compiled)
    for letter in sample_letters():
        assert restored.email(letter) == fresh.email(letter)
    assert restored.compiled.code == fresh.compiled.code  # nothing was compiled again


def test_texts_are_tried_once_and_again_when_one_changes(place: Path, tried: list[Path]) -> None:
    for _ in range(3):
        try_texts(place)
    assert len(tried) == 1
    (place / SMS).write_text("{{ signature }} {{ missing }}", encoding="utf-8")
    for _ in range(2):
        with pytest.raises(ConfigError, match="missing"):
            try_texts(place)
    assert len(tried) == 3  # what is wrong is never kept


def test_a_new_program_tries_them_again(
    place: Path, tried: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    try_texts(place)
    monkeypatch.setattr("worker.setup.tried_texts.version", lambda _: "another")
    try_texts(place)
    assert len(tried) == 2


@pytest.mark.parametrize("damage", [b"", b"\0" * 100, b"(\x01\x00\x00\x00i\x01\x00\x00\x00"])
def test_a_damaged_file_is_made_anew(place: Path, tried: list[Path], damage: bytes) -> None:
    try_texts(place)
    [file] = kept(place)
    file.write_bytes(damage)
    try_texts(place)
    assert len(tried) == 2
    assert len(file.read_bytes()) > len(damage)


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o722])
def test_a_folder_that_others_may_write_to_is_not_used(
    place: Path, tried: list[Path], mode: int
) -> None:
    try_texts(place)
    [file] = kept(place)
    file.parent.chmod(mode)
    try_texts(place)
    assert len(tried) == 2


def test_a_link_is_not_followed(place: Path, tried: list[Path]) -> None:
    try_texts(place)
    [file] = kept(place)
    elsewhere = file.rename(place.parent / "elsewhere")
    file.symlink_to(elsewhere)
    try_texts(place)
    assert len(tried) == 2


def test_where_nothing_can_be_written_nothing_is_kept(place: Path, tried: list[Path]) -> None:
    (place.parent / "temporary" / f"vigencia-{os.getuid()}").write_text("a file", encoding="utf-8")
    for _ in range(2):
        try_texts(place)
    assert len(tried) == 2


def test_few_sets_are_kept(place: Path) -> None:
    for number in range(12):
        (place / SMS).write_text(str(number), encoding="utf-8")
        TriedTexts(place).write(content().compiled)
    assert len(kept(place)) == 8
