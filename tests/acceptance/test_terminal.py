"""Any terminal will do: of another alphabet, narrow, without colours, or with no locale at all."""

import json
import os
import pty
import subprocess
import sys

import pytest

from tests.acceptance.program import ROOT, Program

_BOOK = ROOT / "examples" / "cardbook-zh.xlsx"


@pytest.fixture
def travel(vigencia: Program) -> Program:
    """The program with the Chinese sample book."""
    ran = vigencia.run("cards", "import", _BOOK, "--book", "travel", "--new-book", "--apply")
    assert ran.code == 0, ran.told
    return vigencia


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "ascii"])
def test_a_terminal_of_another_alphabet_stops_nothing(travel: Program, encoding: str) -> None:
    there = {"PYTHONIOENCODING": encoding}
    listed = travel.run("cards", "list", "--limit", "3", **there)
    assert listed.code == 0, listed.told
    assert "+51908377835" in listed.out
    plain = travel.run("books", "show", "travel", "--json").json
    assert travel.run("books", "show", "travel", "--json", **there).json == plain
    wrong = travel.run("cards", "show", "吴海洋", **there)
    assert wrong.code == 1
    assert "Traceback" not in wrong.told
    assert "Next:" in wrong.told


def test_without_a_locale_every_character_is_shown(travel: Program) -> None:
    bare = dict.fromkeys(("LANG", "LC_ALL"), "C")
    assert "吴海洋32" in travel.run("cards", "list", "--limit", "1", **bare).out


def test_a_row_that_is_too_wide_goes_on_in_an_indented_line(travel: Program) -> None:
    wide = travel.run("cards", "list", "--limit", "2").out.splitlines()
    narrow = travel.run("cards", "list", "--limit", "2", COLUMNS="60").out.splitlines()
    assert len(wide) == 3
    assert len(narrow) == 6
    assert all(len(line) <= 60 for line in narrow)
    assert [line.startswith("    ") for line in narrow] == [False, True] * 3
    joined = [f"{a} {b}".split() for a, b in zip(narrow[::2], narrow[1::2], strict=True)]
    assert joined == [line.split() for line in wide]


@pytest.mark.skipif(sys.platform != "linux", reason="needs a pseudo-terminal as Linux has it")
@pytest.mark.parametrize(
    ("told", "coloured"),
    [({"TERM": "xterm"}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
    ids=["terminal", "NO_COLOR", "dumb"],
)
def test_colours_are_for_terminals_that_want_them(
    vigencia: Program, told: dict[str, str], coloured: bool
) -> None:
    env = vigencia.environment(**{"TERM": "xterm", "NO_COLOR": "", **told})
    ours, theirs = pty.openpty()
    done = subprocess.run(
        vigencia.command("promise"),
        cwd=vigencia.directory,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        timeout=100,
        check=False,
    )
    os.close(theirs)
    said = os.read(ours, 100_000).decode()
    os.close(ours)
    assert done.returncode == 0, said
    assert "Nothing is missed" in said
    assert ("\x1b[" in said) is coloured


def test_an_error_in_json_can_be_read_in_any_alphabet(vigencia: Program) -> None:
    ran = vigencia.run("books", "show", "吴海洋", "--json", PYTHONIOENCODING="latin-1")
    assert ran.code == 1
    assert "吴海洋" in json.loads(ran.out)["error"]["message"]
