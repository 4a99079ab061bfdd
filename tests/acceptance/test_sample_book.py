"""The invented cards that come with the program never reach anybody real."""

from pathlib import Path

import pytest
from sqlalchemy import select

from tests.acceptance.program import Program
from tests.acceptance.test_books import BOOK, NOW, bring
from worker.store.engine import open_engine, reading
from worker.store.tables import attempts

SAMPLE = Path(__file__).parents[2] / "examples" / "cardbook-en.tsv"
LIVE = {
    "TWILIO_ACCOUNT_SID": "AC" + "1" * 32,
    "TWILIO_AUTH_TOKEN": "2" * 32,
    "TWILIO_FROM": "+15005550006",
}


def test_the_sample_is_known_under_any_name_and_keeps_apart(vigencia: Program) -> None:
    copy = vigencia.directory / "my list.tsv"
    lines = SAMPLE.read_text(encoding="utf-8-sig").splitlines()
    mine = lines[1].replace("951956832", "951956833").replace("8951672110684038854", "")
    copy.write_text("\n".join([lines[0], mine, *lines[2:]]), encoding="utf-8")
    ran = vigencia.run("cards", "import", copy, "--book", "travel", "--new-book", "--apply")
    assert (ran.code, "sample" in ran.out) == (0, True), ran.told
    assert vigencia.run("books", "list", "--json").json[0]["sample"] is True
    own = vigencia.directory / "own.csv"
    own.write_text(BOOK, encoding="utf-8")
    ran = vigencia.run("cards", "import", own, "--book", "travel", "--new-book", "--apply")
    assert (ran.code, "is the sample book" in ran.told) == (1, True)
    bring(vigencia)
    ran = vigencia.run("cards", "import", SAMPLE, "--book", "shop", "--new-book", "--apply")
    assert (ran.code, "a book of your own" in ran.told) == (1, True)
    assert vigencia.run("books", "remove", "travel", "--apply").code == 0
    ran = vigencia.run("cards", "import", own, "--book", "travel", "--new-book", "--apply")
    assert ran.code == 0, ran.told
    assert not any(one["sample"] for one in vigencia.run("books", "list", "--json").json)


@pytest.mark.parametrize("name", ["shop", "sample"])
def test_nothing_of_the_sample_is_handed_to_a_real_provider(vigencia: Program, name: str) -> None:
    if name == "sample":
        ran = vigencia.run("cards", "import", SAMPLE, "--book", name, "--new-book", "--apply")
        assert ran.code == 0, ran.told
    else:
        bring(vigencia)
    # Whoever is asked refuses the connection, and an attempt is what shows that it was asked.
    env = {**LIVE, "HTTPS_PROXY": "http://127.0.0.1:9", "TWILIO_BASE_URL": "https://192.0.2.1"}
    when = "2026-06-05T15:00:00Z" if name == "sample" else NOW[1]
    ran = vigencia.run(
        "once", "--now", when, "--json", **env, VIGENCIA_DELIVERY__CONNECT_TIMEOUT="0.2"
    )
    assert ran.json["reminders"] > 0, ran.told
    listed = vigencia.run("messages", "list", "--json").json
    engine = open_engine(f"sqlite:///{vigencia.directory}/var/vigencia.db")
    with reading(engine) as conn:
        tried = conn.execute(select(attempts.c.id)).all()
    engine.dispose()
    if name == "shop":
        assert tried
        return
    assert not tried
    assert "sample_book" in {one["reason"] for one in listed}
