"""A card book comes in, comes again with changes, and comes with rows that are wrong."""

from pathlib import Path
from typing import Any

import openpyxl

from tests.acceptance.program import ROOT, Program

_BOOK = ROOT / "examples" / "cardbook-en.tsv"
_LINES = _BOOK.read_text(encoding="utf-8-sig").splitlines()
_COUNT = len(_LINES) - 1


def _written(vigencia: Program, name: str, lines: list[str]) -> Path:
    path = vigencia.directory / name
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _spoiled(vigencia: Program) -> Path:
    """The sample with an unreadable date in row 4 and an unreadable address in row 6."""
    lines = [*_LINES]
    lines[3] = lines[3].replace("2026-", "05/06/26 ", 1)
    lines[5] = lines[5].replace("@", " at ")
    return _written(vigencia, "book.tsv", lines)


def _cell(sheet: Any, title: str, row: int) -> Any:
    titles = [cell.value for cell in sheet[1]]
    return sheet.cell(row, titles.index(title) + 1)


def test_refused_rows_go_to_a_spreadsheet_and_come_in_once_they_are_corrected(
    vigencia: Program,
) -> None:
    book = _spoiled(vigencia)
    ran = vigencia.run(
        "cards", "import", book, "--book", "b", "--new-book", "--apply", "--skip-bad", "--json"
    )
    told = ran.json
    assert (ran.code, told["applied"]) == (1, True)
    assert (told["created"], told["refused"]) == (_COUNT - 2, 2)
    kept = Path(told["refused_file"])
    assert kept == vigencia.directory / "book.refused.xlsx"
    workbook = openpyxl.load_workbook(kept)
    sheet = workbook.active
    _cell(sheet, "expiry", 2).value = "2026-09-14"
    _cell(sheet, "email", 3).value = "corrected@example.com"
    workbook.save(kept)
    ran = vigencia.run("cards", "import", kept, "--book", "b", "--new-book", "--apply", "--json")
    assert (ran.code, ran.json["created"], ran.json["refused"]) == (0, 2, 0), ran.told
    assert len(vigencia.run("cards", "list", "--json").json) == _COUNT


def test_the_text_names_the_file_of_the_refused_rows_and_the_command_for_it(
    vigencia: Program,
) -> None:
    book = _spoiled(vigencia)
    dry = vigencia.run("cards", "import", book, "--book", "b", "--new-book", "--skip-bad")
    assert (dry.code, "dry run" in dry.out) == (1, True)
    assert list(vigencia.directory.glob("*.xlsx")) == []
    assert vigencia.run("cards", "list", "--json").json == []
    ran = vigencia.run(
        "cards", "import", book, "--book", "b", "--new-book", "--skip-bad", "--apply"
    )
    [kept] = vigencia.directory.glob("*.xlsx")
    assert ran.out.rstrip().endswith(f"vigencia cards import {kept} --book b --apply")
    assert "05/06/26" not in ran.out


def test_a_newer_book_tells_what_changes_and_which_cards_it_leaves_out(vigencia: Program) -> None:
    first = vigencia.run("cards", "import", _BOOK, "--book", "b", "--new-book", "--apply")
    assert (first.code, "Next: vigencia up" in first.out) == (0, True)
    lines = [*_LINES[:-1]]
    lines[2] = lines[2].replace("2026-", "2027-", 1)
    lines[3] = lines[3].replace("Chloe Reid 17", "Somebody Else")
    newer = _written(vigencia, "newer.tsv", lines)
    dry = vigencia.run("cards", "import", newer, "--book", "b", "--new-book")
    assert "2 would be changed (1 to another holder, 1 renewed)" in dry.out
    [renewed] = [line for line in dry.out.splitlines() if line.startswith("3 ")]
    assert "renewed: plan end 2026-" in renewed
    [reassigned] = [line for line in dry.out.splitlines() if line.startswith("4 ")]
    assert "holder changed" in reassigned
    assert "Somebody Else" not in dry.told
    ran = vigencia.run(
        "cards", "import", newer, "--book", "b", "--new-book", "--apply", "--json"
    ).json
    assert [(c["row"], c["action"]) for c in ran["changes"]] == [(4, "reassigned"), (3, "renewed")]
    assert (ran["missing"], ran["told"], ran["unchanged"]) == (1, 1, _COUNT - 3)
    [missing] = ran["missing_cards"]
    assert f"vigencia cards pause {missing['id']}" in dry.out
    assert vigencia.run("cards", "pause", str(missing["id"])).code == 0
    again = vigencia.run(
        "cards", "import", newer, "--book", "b", "--new-book", "--apply", "--json"
    ).json
    assert (again["changed"], again["missing"], again["unchanged"]) == (0, 0, _COUNT - 1)


def test_a_book_whose_name_or_signature_is_too_long_is_wrong_usage(vigencia: Program) -> None:
    assert vigencia.run("cards", "import", _BOOK, "--book", "b" * 101, "--new-book").code == 2
    ran = vigencia.run(
        "cards", "import", _BOOK, "--book", "b", "--new-book", "--signature", "s" * 31
    )
    assert ran.code == 2
    assert "--signature" in ran.err
