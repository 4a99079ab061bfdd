"""A book is kept over months: what is entered in between, what is typed wrongly, what is told."""

import shutil
from pathlib import Path

from tests.acceptance.program import ROOT, Program

_HARD = ROOT / "tests" / "data" / "hard"
_HEADER = "手机号,运营商,卡类型,到期日,客户,邮箱\n"


def _copied(vigencia: Program, name: str) -> Path:
    return Path(shutil.copy(_HARD / name, vigencia.directory / name))


def _written(vigencia: Program, name: str, *rows: str) -> Path:
    path = vigencia.directory / name
    path.write_text(_HEADER + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_importing_the_same_file_again_does_not_undo_a_renewal(vigencia: Program) -> None:
    book = _copied(vigencia, "reimport.csv")
    first = vigencia.run("cards", "import", book, "--book", "b", "--new-book", "--apply")
    assert first.code == 0, first.told
    card = ("929022279", "--now", "2026-11-29T15:00:00Z")
    assert vigencia.run("cards", "renew", *card, "--plan-end", "2027-01-30").code == 0
    assert vigencia.run("cards", "confirm", *card).code == 0
    dry = vigencia.run("cards", "import", book, "--book", "b")
    assert "0 would be changed, 1 unchanged" in dry.out.replace("0 would be created, ", "")
    assert "plan end 2027-01-30, in the file still 2026-11-30" in dry.out
    told = vigencia.run("cards", "import", book, "--book", "b", "--apply", "--json").json
    assert (told["changed"], told["unchanged"], told["kept"]) == (0, 1, 1)
    assert told["kept_cards"][0]["fields"] == ["plan_end", "last_topup"]
    shown = vigencia.run("cards", "show", "929022279", "--json").json
    assert shown["plan_end"] == "2027-01-30"
    # The day of the old end: the holder has renewed, and is told of nothing.
    vigencia.run("once", "--now", "2026-11-30T15:00:00Z")
    reminders = vigencia.run("cards", "show", "929022279", "--json").json["reminders"]
    assert [r for r in reminders if r["deadline"] == "plan_end" and r["state"] == "pending"] == []


def test_contradictory_rows_are_all_put_aside(vigencia: Program) -> None:
    book = _copied(vigencia, "dup.csv")
    told = vigencia.run(
        *("cards", "import", book, "--book", "b", "--new-book", "--apply", "--skip-bad", "--json")
    ).json
    assert (told["created"], told["refused"]) == (0, 2)
    assert vigencia.run("cards", "list", "--json").json == []


def test_a_slip_of_the_finger_makes_no_second_book(vigencia: Program) -> None:
    book = _written(vigencia, "two.csv", "929022279,Claro,4G,2026-12-10,陈静,kehu@example.com")
    ran = vigencia.run("cards", "import", book, "--book", "tienda")
    assert (ran.code, "--new-book" in ran.told) == (1, True)
    assert (
        vigencia.run("cards", "import", book, "--book", "tienda", "--new-book", "--apply").code == 0
    )
    for name in ("tienad", "Tiendas"):
        ran = vigencia.run("cards", "import", book, "--book", name, "--apply")
        assert ran.code == 1
        assert "'tienda'" in ran.told
    same = vigencia.run("cards", "import", book, "--book", "Tienda", "--apply", "--json").json
    assert (same["created"], same["unchanged"]) == (0, 1)
    ran = vigencia.run("cards", "import", book, "--book", "TIENDA", "--new-book")
    assert ran.code == 1
    other = vigencia.run("cards", "import", book, "--book", "other", "--new-book")
    assert other.code == 0
    assert "also in another book ('tienda')" in other.out


def test_the_dry_run_shows_how_each_column_was_read(vigencia: Program) -> None:
    rows = ("929022279,Claro,4G,13/06/2026,陈静,kehu@example.com",)
    book = _written(vigencia, "read.csv", *rows)
    dry = vigencia.run("cards", "import", book, "--book", "b", "--new-book")
    assert "encoding utf-8" in dry.out
    [line] = [line for line in dry.out.splitlines() if line.startswith("D ")]
    for word in ("到期日", "expires", "2026-06-13", "day/month/year"):
        assert word in line
    assert "America/Lima (the book's default; 1)" in dry.out
    assert "kehu@example.com" not in dry.told
    assert "929022279" not in dry.told
    told = vigencia.run("cards", "import", book, "--book", "b", "--new-book", "--json").json
    assert {column["field"] for column in told["reading"]} == {
        *("msisdn", "operator", "kind", "expires", "holder", "email")
    }
    [zone] = told["zones"]
    assert (zone["zone"], zone["from"], zone["rows"]) == ("America/Lima", "book", 1)


def test_the_same_mistake_is_told_once_with_the_number_of_its_rows(vigencia: Program) -> None:
    rows = [f"9290222{n:02},Vodafone,4G,2026-12-10,x," for n in range(40)]
    book = _written(vigencia, "many.csv", *rows)
    ran = vigencia.run("cards", "import", book, "--book", "b", "--new-book")
    lines = [line for line in ran.err.splitlines() if "unknown_operator" in line]
    assert len(lines) == 1
    assert "(40 rows)" in lines[0]


def test_an_unknown_column_of_contacts_is_settled_by_an_option(vigencia: Program) -> None:
    path = vigencia.directory / "own.csv"
    path.write_text(
        "手机号,运营商,卡类型,到期日,微信\n929022279,Claro,4G,2026-12-10,+8613800138000\n", "utf-8"
    )
    base = ("cards", "import", path, "--book", "b", "--new-book", "--json")
    ran = vigencia.run(*base)
    assert ran.code == 1
    assert "--column '微信=contact_phone'" in ran.json["error"]["hint"]
    told = vigencia.run(*base, "--column", "微信=contact_phone")
    assert told.code == 0, told.told
    [zone] = told.json["zones"]
    assert (zone["zone"], zone["from"], zone["rows"]) == ("Asia/Shanghai", "prefix", 1)
    assert vigencia.run(*base, "--column", "微信").code == 2


def test_a_demo_whose_book_is_refused_says_so(vigencia: Program) -> None:
    book = _written(vigencia, "bad.csv", "929022279,Claro,4G,05/06/2026,陈静,")
    ran = vigencia.run("demo", "--file", book, "--days", "1")
    assert ran.code == 1
    assert "1 of 1 rows were refused" in ran.told
    assert "Lost" not in ran.out
    assert "vigencia cards import" in ran.told
