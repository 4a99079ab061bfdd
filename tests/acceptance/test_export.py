"""A card book leaves the program and comes back: `cards export`, `cards template`."""

import stat
from pathlib import Path

import openpyxl
import pytest

from tests.acceptance.program import ROOT, Program

_BOOK = ROOT / "examples" / "cardbook-zh.xlsx"


@pytest.fixture
def demo(vigencia: Program) -> Program:
    ran = vigencia.run("cards", "import", _BOOK, "--book", "demo", "--new-book", "--apply")
    assert ran.code == 0, ran.told
    return vigencia


@pytest.mark.parametrize("name", ["out.xlsx", "out.csv"])
def test_an_exported_book_changes_nothing_and_makes_the_same_book_anew(
    demo: Program, name: str
) -> None:
    ran = demo.run("cards", "export", name, "--language", "es-PE", "--json")
    assert ran.code == 0, ran.told
    assert ran.err == ""
    told = {"file": name, "book": "demo", "language": "es-PE", "cards": 300, "shared_numbers": 0}
    assert ran.json == told
    assert stat.S_IMODE((demo.directory / name).stat().st_mode) == 0o600
    again = demo.run(
        "cards", "import", name, "--book", "demo", "--new-book", "--apply", "--json"
    ).json
    counts = ("created", "changed", "unchanged", "refused")
    assert [again[key] for key in counts] == [0, 0, 300, 0]
    assert demo.run("cards", "import", name, "--book", "copy", "--new-book", "--apply").code == 0
    listed = [demo.run("cards", "list", "--json", "--book", b).json for b in ("demo", "copy")]
    ids = [one.pop("id") for cards in listed for one in cards]
    assert listed[0] == listed[1]
    assert len(set(ids)) == 600


def test_a_file_is_replaced_only_if_told_so(demo: Program) -> None:
    path = demo.directory / "out.csv"
    path.write_text("mine")
    for command in (("export", path), ("template", path, "--language", "en")):
        ran = demo.run("cards", *command)
        assert (ran.code, ran.out) == (1, "")
        assert "out.csv exists already" in ran.err
        assert "--overwrite" in ran.err
        assert path.read_text() == "mine"
    assert demo.run("cards", "export", path, "--overwrite").code == 0
    assert path.read_bytes().startswith('\ufeff"Celular"'.encode())
    assert demo.run("cards", "template", path, "--language", "en", "--overwrite").code == 0
    assert path.read_text("utf-8-sig").startswith("Mobile number,ICCID,")


def test_a_format_that_is_not_written_is_a_wrong_usage(vigencia: Program) -> None:
    for command in (("export", "out.xls"), ("template", "out.pdf", "--language", "en")):
        ran = vigencia.run("cards", *command)
        assert ran.code == 2
        assert "the name must end in .xlsx or .csv" in ran.err
    assert list(vigencia.directory.glob("out.*")) == []


def test_which_book_is_meant_must_be_clear(vigencia: Program) -> None:
    ran = vigencia.run("cards", "export", "out.csv")
    assert (ran.code, "There is no card book yet" in ran.err) == (1, True)
    for book in ("one", "two"):
        vigencia.run("cards", "import", _BOOK, "--book", book, "--new-book", "--apply")
    ran = vigencia.run("cards", "export", "out.csv")
    assert (ran.code, "more than one card book" in ran.err) == (1, True)
    assert "--book: 'one', 'two'" in ran.err
    ran = vigencia.run("cards", "export", "out.csv", "--book", "three", "--json")
    assert ran.json["error"]["message"] == "There is no card book 'three'."
    assert vigencia.run("cards", "export", "out.csv", "--book", "two").code == 0


def test_an_empty_template_is_refused_and_a_filled_one_imported(vigencia: Program) -> None:
    ran = vigencia.run("cards", "template", "new.xlsx", "--language", "zh-Hant")
    assert ran.code == 0, ran.told
    ran = vigencia.run("cards", "import", "new.xlsx", "--book", "demo", "--new-book")
    assert ran.code == 1
    assert "has no rows under its header" in ran.told
    path = Path(vigencia.directory, "new.xlsx")
    workbook = openpyxl.load_workbook(path)
    sheet, help_sheet = workbook.worksheets
    for column, row in enumerate(range(2, 17), 1):
        sheet.cell(2, column).value = help_sheet.cell(row, 4).value
    workbook.save(path)
    found = vigencia.run(
        "cards", "import", "new.xlsx", "--book", "demo", "--new-book", "--json"
    ).json
    assert (found["created"], found["warnings"], found["errors"]) == (1, [], [])
