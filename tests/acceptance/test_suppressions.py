"""Who is not written to, from the command line."""

from pathlib import Path

from tests.acceptance.program import Program

BOOK = """msisdn,titular,celular de contacto,correo,operador,tipo,vencimiento
987654321,Rosa Quispe,+51911111111,rosa@example.com,claro,data,2026-06-20
987654322,Luis Rojas,+51922222222,luis@example.com,claro,data,2026-06-20
"""
NOW = ("--now", "2026-06-12T15:00:00Z")
STOP_SMS = ("suppressions", "add", "--channel", "sms")
LIST = ("suppressions", "list", "--json")


def imported(vigencia: Program) -> None:
    book = Path(vigencia.directory, "book.csv")
    book.write_text(BOOK, encoding="utf-8")
    assert vigencia.run("db", "upgrade").code == 0
    ran = vigencia.run("cards", "import", book, "--book", "demo", "--new-book", "--apply")
    assert ran.code == 0, ran.told


def test_a_person_stops_and_starts_messages_with_a_reason(vigencia: Program) -> None:
    imported(vigencia)
    told = vigencia.run(*STOP_SMS, "--address", "+51 911 111 111", "--reason", "asked", *NOW)
    assert told.code == 0, told.told
    assert "+51***111" in told.out
    assert "911111111" not in told.told
    assert vigencia.run(*STOP_SMS, "--card", "2", "--reason", "lent it", *NOW, "--json").json == {
        "added": True,
        "channel": "sms",
        "address": "+51***222",
        "card": 2,
    }
    [all_cards, one_card] = vigencia.run(*LIST, "--book", "demo").json
    assert (all_cards["card"], all_cards["cards"], all_cards["reason"]) == (None, [1], "asked")
    assert (one_card["card"], one_card["cards"], one_card["source"]) == (2, [2], "guardian")
    assert all_cards["since"] == "2026-06-12T15:00:00Z"
    assert "opted_out" in vigencia.run("cards", "show", "1").out
    assert vigencia.run(*LIST, "--card", "1", "--full").json[0]["address"] == "+51911111111"
    assert "+51***111" in vigencia.run("suppressions", "list").out

    remove = ("suppressions", "remove", "--channel", "sms", "--address", "+51911111111")
    refused = vigencia.run(*remove)
    assert (refused.code, "--reason" in refused.err) == (2, True)
    done = vigencia.run(*remove, "--reason", "asked for it again", *NOW)
    assert (done.code, "stopped by: guardian" in done.out) == (0, True)
    assert vigencia.run(*remove, "--reason", "again").code == 1
    assert len(vigencia.run(*LIST).json) == 1
    [lifted, _] = vigencia.run(*LIST, "--lifted").json
    assert lifted["lifted_reason"] == "asked for it again"
    assert vigencia.run(*STOP_SMS, "--address", "+51911111111", "--reason", "no", *NOW).code == 0
    assert len(vigencia.run(*LIST).json) == 2


def test_what_cannot_be_meant_is_refused(vigencia: Program) -> None:
    imported(vigencia)
    reason = ("--reason", "x")
    for wrong, code in (
        ((*STOP_SMS, *reason), 2),
        ((*STOP_SMS, *reason, "--address", "12345"), 1),
        ((*STOP_SMS, *reason, "--card", "99"), 1),
        (("suppressions", "add", "--channel", "email", *reason, "--address", "nobody"), 1),
        (("suppressions", "add", "--channel", "fax", *reason, "--address", "1"), 2),
        ((*LIST, "--book", "other"), 1),
    ):
        ran = vigencia.run(*wrong)
        assert ran.code == code, ran.told
        assert "Traceback" not in ran.told
    assert vigencia.run(*LIST).json == []
