"""Card books and cards are looked at and taken away, from the command line."""

from tests.acceptance.program import Program
from worker.sandbox.process import SandboxProcess

BOOK = """msisdn,titular,celular de contacto,correo,operador,tipo,vencimiento
987654321,Rosa Quispe,+51911111111,rosa@example.com,claro,data,2026-06-20
987654322,Luis Rojas,+51922222222,luis@example.com,claro,data,2026-06-20
"""
NOW = ("--now", "2026-06-13T15:00:00Z")


def bring(vigencia: Program, name: str = "shop", text: str = BOOK) -> None:
    file = vigencia.directory / "book.csv"
    file.write_text(text, encoding="utf-8")
    ran = vigencia.run("cards", "import", file, "--book", name, "--new-book", "--apply")
    assert ran.code == 0, ran.told


def test_books_are_listed_and_shown(vigencia: Program) -> None:
    assert "There is no card book yet" in vigencia.run("books", "list").out
    bring(vigencia)
    [told] = vigencia.run("books", "list", "--json").json
    assert (told["book"], told["cards"], told["watched"], told["sample"]) == ("shop", 2, 2, False)
    assert "Lima" in vigencia.run("books", "list").out
    shown = vigencia.run("books", "show", "shop", "--json").json
    assert (shown["holders"], shown["waiting"], shown["messages_tried"]) == (2, 0, 0)
    assert "America/Lima" in vigencia.run("books", "show", "shop").out
    ran = vigencia.run("books", "show", "other")
    assert (ran.code, "vigencia books list" in ran.told) == (1, True)


def test_a_card_shows_its_contacts_by_their_ends_unless_they_are_asked_for(
    vigencia: Program,
) -> None:
    bring(vigencia)
    for arguments in (("1",), ("1", "--json")):
        told = vigencia.run("cards", "show", *arguments).out
        assert "***4321" in told
        assert "r***@example.com" in told
        assert "987654321" not in told
        assert "911111111" not in told
    told = vigencia.run("cards", "show", "1", "--reveal").out
    assert "+51987654321" in told
    assert "rosa@example.com" in told
    assert "Lima" in told
    assert vigencia.run("cards", "show", "1", "--reveal", "--json").json["msisdn"] == "+51987654321"


def test_removing_tells_first_and_does_it_when_asked(
    vigencia: Program, sandbox: SandboxProcess
) -> None:
    bring(vigencia)
    bring(vigencia, "second", BOOK.replace("9876543", "9876544"))
    told = vigencia.run("books", "remove", "second")
    assert (told.code, "Nothing was changed" in told.out) == (0, True)
    assert "0 messages, deleted with it" in told.out
    assert len(vigencia.run("books", "list", "--json").json) == 2
    done = vigencia.run("books", "remove", "second", "--apply", "--json").json
    assert (done["cards"], done["erased"], done["applied"]) == (2, True, True)
    assert [one["book"] for one in vigencia.run("books", "list", "--json").json] == ["shop"]
    assert len(vigencia.run("cards", "list", "--json").json) == 2
    assert vigencia.run("books", "remove", "second").code == 1


def test_what_was_sent_stays_as_proof_without_names_and_numbers(
    vigencia: Program, sandbox: SandboxProcess
) -> None:
    bring(vigencia)
    env = {"VIGENCIA_SANDBOX__URL": sandbox.url}
    sent = vigencia.run("once", *NOW, "--json", **env).json["sent"]
    assert sent > 0
    told = vigencia.run("cards", "remove", "987654321")
    assert "Nothing was changed" in told.out
    assert vigencia.run("cards", "remove", "987654321", "--apply", *NOW).code == 0
    assert vigencia.run("cards", "show", "987654321").code == 1
    assert [one["id"] for one in vigencia.run("cards", "list", "--json").json] == [2]
    done = vigencia.run("books", "remove", "shop", "--apply", *NOW, "--json").json
    assert (done["erased"], done["proof"]) == (False, sent)
    assert vigencia.run("books", "list", "--json").json == []
    listed = vigencia.run("messages", "list", "--json").json
    assert len(listed) == sent
    assert {one["holder"] for one in listed} == {""}
    period = ("--from", "2026-06-01", "--to", "2026-06-30", "--json")
    account = vigencia.run("promise", *period, "--book", "shop").json
    assert account["owed"] > 0
    assert account["unexplained"] == []
    assert vigencia.run("once", "--now", "2026-06-20T15:00:00Z", "--json", **env).json["sent"] == 0


def test_a_removed_book_begins_anew_when_it_is_imported_again(
    vigencia: Program, sandbox: SandboxProcess
) -> None:
    bring(vigencia)
    env = {"VIGENCIA_SANDBOX__URL": sandbox.url}
    vigencia.run("once", *NOW, **env)
    assert vigencia.run("books", "remove", "shop", "--apply").code == 0
    bring(vigencia)
    cards = vigencia.run("cards", "list", "--json").json
    assert [one["msisdn"] for one in cards] == ["+51987654321", "+51987654322"]
    assert vigencia.run("once", *NOW, "--json", **env).json["sent"] > 0
