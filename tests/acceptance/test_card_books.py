"""Card books as people keep them, and files nobody should give us, through the command line."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.acceptance.program import Program, Ran
from tests.patience import patient
from tests.unit import cardbook_files as files

_ROWS: files.Rows = [
    ["celular", "operador", "tipo", "vence"],
    ["987654321", "claro", "datos", "2026-05-13"],
]
_TEXT = files.delimited(_ROWS) + b"\r\n"
# The program alone takes about 120 MB; a hostile file may cost as much again, and no more.
_MOST_MEGABYTES = 400
# Runs the rest of its arguments, and tells how much memory they took at most, children included.
_MEASURE = (
    "import resource as r, subprocess as s, sys;"
    "code = s.run(sys.argv[1:]).returncode;"
    "print('peak', r.getrusage(r.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr);"
    "sys.exit(code)"
)


def _measured(vigencia: Program, path: Path) -> Ran:
    """An import with ``--apply``, which must end within a minute and within the bound."""
    ran = subprocess.run(
        [
            *(sys.executable, "-c", _MEASURE),
            *vigencia.command(
                "cards", "import", path, "--book", "b", "--new-book", "--apply", "--json"
            ),
        ],
        cwd=vigencia.directory,
        env=vigencia.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=patient(60),
        check=False,
    )
    told, _, peak = ran.stderr.rpartition("peak ")
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    assert int(peak) / unit < _MOST_MEGABYTES
    return Ran(ran.returncode, ran.stdout, told)


# What else is refused is proved without a process, in tests/unit/test_cardbook_hostile.py.
_HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "lying.xlsx": (lambda: files.bomb(400, 4000), "not a workbook"),
    "protected.xlsx": (files.encrypted_package, "password"),
    "corner.xlsx": (
        lambda: files.raw_xlsx(
            files.raw_row(1, "celular", "operador")
            + '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
        ),
        "stray cell",
    ),
    "commas.csv": (lambda: _TEXT + b"," * (32 << 20), "longer than"),
}


def test_a_hostile_file_is_refused_in_bounds_and_writes_nothing(vigencia: Program) -> None:
    for name, (build, words) in _HOSTILE.items():
        path = vigencia.directory / name
        path.write_bytes(build())
        ran = _measured(vigencia, path)
        assert ran.code == 1, name
        assert "Traceback" not in ran.told
        assert ran.json["error"]["code"] == "cardbook"
        assert words in ran.json["error"]["message"] + ran.json["error"]["hint"], name
    assert vigencia.run("cards", "list", "--json").json == []


def test_what_is_no_file_is_refused_in_bounds(vigencia: Program) -> None:
    sparse = vigencia.directory / "sparse.csv"
    sparse.touch()
    os.truncate(sparse, 2 << 30)
    pipe = vigencia.directory / "pipe.csv"
    os.mkfifo(pipe)
    undecodable = Path(os.fsdecode(os.fsencode(vigencia.directory) + b"/\xff.csv"))
    found = {
        sparse: "2048 MB",
        pipe: "a pipe or a device",
        undecodable: "No such file",
    }
    for path, words in found.items():
        ran = _measured(vigencia, path)
        assert ran.code == 1
        assert "Traceback" not in ran.told
        assert words in ran.json["error"]["message"]


def test_a_resellers_book_is_read_around_its_titles_groups_and_pages(vigencia: Program) -> None:
    header = ["序号", "手机号", "运营商", "卡类型", "套餐", "到期日", "上次充值", "客户", "押金"]
    rows: files.Rows = [
        ["秘鲁手机卡台账（2026年）"],
        ["制表：小王", None, "更新：2026-05-01"],
        [],
        ["序号", "手机号", "卡信息", None, None, "有效期", None, "客户", "押金"],
        [None, None, *header[2:7], None, None],
        [1.0, "987654321", "Claro", "保号卡", "180天", "2026年7月6日", "2026/2/5", "孙悦", 100.0],
        [],
        header,
        [2.0, "987 654 322", "Entel", "4G卡", "包月", "长期", "2026/2/5", "赵六", None],
        ["合计", None, None, None, None, None, None, None, 200.0],
        ["注：押金不退"],
    ]
    merges = [(0, 0, 0, 8), (3, 3, 2, 4), (3, 3, 5, 6), *((3, 4, n, n) for n in (0, 1, 7, 8))]
    book = vigencia.directory / "book.xlsx"
    book.write_bytes(files.xlsx(rows, merges=merges))
    ran = vigencia.run("cards", "import", book, "--book", "b", "--new-book", "--json")
    assert [(p["row"], p["code"]) for p in ran.json["errors"]] == [
        (10, "no_number"),
        (11, "no_number"),
    ]
    assert "a total, a note" in ran.json["errors"][0]["hint"]
    assert ran.json["created"] == 2

    book.write_bytes(files.xls(rows[:-2], merges=merges))
    assert vigencia.run("cards", "import", book, "--book", "b", "--new-book", "--apply").code == 0
    cards = vigencia.run("cards", "list", "--json").json
    assert [(card["msisdn"], card["plan_end"], card["last_topup"]) for card in cards] == [
        ("+51987654321", "2026-07-06", "2026-02-05"),
        ("+51987654322", None, "2026-02-05"),
    ]


def test_a_spanish_book_says_step_by_step_what_it_needs(vigencia: Program) -> None:
    text = (
        "Chips;;;;;\nN°;Celular;Operador;Tipo;Vencimiento;Saldo;Última recarga\n"
        "1;987654321;Claro;Datos;13/05/2026;S/ 12,50;05/06/2026\n"
        "2;987-654-322;Movistar;eSIM;13-05-2026 00:00;S/ 3;2026-05-13T00:00:00\n"
    )
    book = vigencia.directory / "book.csv"
    book.write_bytes(text.encode("cp1252"))

    def told(*options: str) -> Ran:
        return vigencia.run("cards", "import", book, "--book", "b", "--new-book", *options)

    assert "as cp1252, 'N°' would not be" in told().told
    asked = told("--encoding", "cp1252")
    assert asked.code == 1
    assert "--date-order" in asked.told
    assert told("--encoding", "cp1252", "--date-order", "dmy").code == 0


def test_an_export_with_timestamps_is_read(vigencia: Program) -> None:
    text = (
        "Timestamp,Phone number,Carrier,Card type,Plan,Expiry date,Last top-up,Customer,Email\n"
        "5/13/2026 14:30:00,987654321,Claro,Data,Plan 30 days / 10GB,6/13/2026 2:30:00 PM,"
        "2026-05-13T00:00:00,Ann Lee,ann@example.com\n"
    )
    book = vigencia.directory / "book.csv"
    book.write_text(text)
    assert vigencia.run("cards", "import", book, "--book", "b", "--new-book", "--apply").code == 0
    (card,) = vigencia.run("cards", "list", "--json").json
    assert (card["plan_end"], card["last_topup"]) == ("2026-06-13", "2026-05-13")
    assert (
        vigencia.run("cards", "show", "987654321", "--json").json["plan"] == "Plan 30 days / 10GB"
    )
