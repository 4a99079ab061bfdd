"""Operator packs: every value with its source, and everything that can be wrong with a pack."""

import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.unit.core_helpers import CONFIG, RULES, a_pack
from worker.core.operators import OperatorPack, Rung, Way
from worker.errors import ConfigError
from worker.setup.load_rules import load_rules
from worker.setup.operator_file import OperatorFile
from worker.tables import read

DAY = date(2025, 11, 24)


def fact(**changes: Any) -> dict[str, Any]:
    data = {"days": 60, "source": "somebody", "checked_on": DAY, **changes}
    return {key: value for key, value in data.items() if value is not None}


def contact(**changes: Any) -> dict[str, Any]:
    return fact(**{"days": None, "value": "123", **changes})


def errors(**data: Any) -> list[str]:
    file, found = read(OperatorFile, {"name": "Test", **data})
    assert (file is None) is bool(found)
    return found


def pack_of(**data: Any) -> OperatorPack:
    file, found = read(OperatorFile, {"name": "Test", **data})
    assert found == []
    assert file is not None
    return file.pack("test")


def test_a_right_pack_is_read_with_its_sources() -> None:
    pack = pack_of(
        name=" Test ",
        contact={"hotline": contact()},
        line_loss=[fact(days=255), fact(days=240, source="another")],
    )
    assert (pack.code, pack.name) == ("test", "Test")
    assert [(f.value, f.source, f.checked_on) for f in pack.rungs[Rung.LINE_LOSS]] == [
        (255, "somebody", DAY),
        (240, "another", DAY),
    ]
    assert pack.contacts["hotline"].value == "123"
    assert pack.days(Rung.LINE_LOSS) == 240
    assert pack.days(Rung.BALANCE_LOSS) is None


def test_ways_to_renew_are_lists_of_facts() -> None:
    pack = pack_of(
        contact={"app": contact(value="The App")},
        renew={
            "online": [contact(value="a site"), contact(value="another")],
            "in_person": [],
            "abroad": [contact(value="an agent")],
        },
    )
    told = {way: [fact.value for fact in facts] for way, facts in pack.ways.items()}
    assert told == {
        Way.ONLINE: ["a site", "another"],
        Way.IN_PERSON: [],
        Way.ABROAD: ["an agent"],
    }
    assert pack.contacts["app"].value == "The App"
    assert [fact.value for fact in pack.facts()] == ["a site", "another", "an agent", "The App"]


def test_a_pack_claims_every_rung_too() -> None:
    assert [fact.value for fact in a_pack(line_loss=(255, 240)).facts()] == [255, 240]


def test_contacts_are_those_that_were_verified() -> None:
    told = {code: {k: f.value for k, f in p.contacts.items()} for code, p in RULES.packs.items()}
    assert told == {
        "bitel": {"hotline": "123", "phone": "+51 930 123 123", "app": "Mi Bitel"},
        "claro": {"hotline": "123", "app": "Mi Claro"},
        "entel": {"hotline": "123 / 0800 09000", "app": "Mi Entel"},
        "movistar": {"app": "Mi Movistar"},
        "other": {},
    }
    assert not any(pack.ways for pack in RULES.packs.values())


def test_days_are_the_least_of_all_sources() -> None:
    assert a_pack(line_loss=(255, 240, 250)).days(Rung.LINE_LOSS) == 240


@pytest.mark.parametrize(
    ("operator", "days"),
    [
        (
            "claro",
            {"outgoing_block": 60, "balance_loss": 210, "line_loss": 270, "reassignment": 90},
        ),
        ("movistar", {"line_loss": 210, "reassignment": 90}),
        ("entel", {"line_loss": 60, "reassignment": 90}),
        (
            "bitel",
            {"outgoing_block": 90, "balance_loss": 240, "line_loss": 240, "reassignment": 90},
        ),
    ],
)
def test_the_shipped_packs_are_the_researched_days(operator: str, days: dict[str, int]) -> None:
    pack = RULES.packs[operator]
    assert {rung.value: pack.days(rung) for rung in pack.rungs} == days


def test_both_sources_of_bitels_line_loss_are_kept() -> None:
    assert {f.value for f in RULES.packs["bitel"].rungs[Rung.LINE_LOSS]} == {240, 255}


def test_the_shipped_operators_are_these() -> None:
    assert {code: pack.name for code, pack in RULES.packs.items()} == {
        "bitel": "Bitel",
        "claro": "Claro",
        "entel": "Entel",
        "movistar": "Movistar",
        "other": "eSIM",
    }


def test_of_an_operator_without_a_pack_only_the_name_is_known() -> None:
    pack = RULES.pack("cuy")
    assert (pack.name, pack.rungs, pack.contacts) == ("Cuy", {}, {})


@pytest.mark.parametrize("days", [-1, 0, 1.5, "60", True, None])
def test_days_are_a_whole_number_above_0(days: Any) -> None:
    [error] = errors(line_loss=[fact(days=days)])
    assert error.startswith("line_loss.days: ")


@pytest.mark.parametrize("source", ["", "  ", None, 7])
def test_a_value_without_a_source_is_refused(source: Any) -> None:
    [error] = errors(line_loss=[fact(source=source)])
    assert error == "line_loss.source: say where the value comes from"
    [error] = errors(contact={"hotline": contact(source=source)})
    assert error.startswith("contact.hotline.source: ")


@pytest.mark.parametrize("checked", [None, "2025-11-24", datetime(2025, 11, 24, tzinfo=UTC)])
def test_a_value_nobody_checked_on_a_day_is_refused(checked: Any) -> None:
    [error] = errors(line_loss=[fact(checked_on=checked)])
    assert error.startswith("line_loss.checked_on: ")
    [error] = errors(contact={"website": contact(checked_on=checked)})
    assert error.startswith("contact.website.checked_on: ")


def test_an_unknown_key_is_named_with_those_that_are_known() -> None:
    [error] = errors(line_los=[fact()])
    assert error.startswith("line_los: not known here")
    assert "line_loss" in error
    [error] = errors(contact={"fax": contact()})
    assert error.startswith("contact.fax: not known here")
    assert "hotline" in error


@pytest.mark.parametrize("name", [None, "", "  ", 5])
def test_a_pack_has_a_name(name: Any) -> None:
    assert errors(name=name) == ["name: the operator's name is missing"]


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ({"line_loss": 60}, "line_loss"),
        ({"line_loss": fact()}, "line_loss"),
        ({"line_loss": [60]}, "line_loss"),
        ({"contact": {"hotline": "123"}}, "contact.hotline"),
        ({"contact": "123"}, "contact"),
        ({"contact": 123}, "contact"),
        ({"contact": {"hotline": contact(value=123)}}, "contact.hotline.value"),
        ({"renew": ["online"]}, "renew"),
        ({"renew": {"online": "a site"}}, "renew.online"),
        ({"renew": {"online": contact()}}, "renew.online"),
        ({"renew": {"abroad": ["an agent"]}}, "renew.abroad"),
        ({"renew": {"in_person": [contact(value="")]}}, "renew.in_person.value"),
        ({"renew": {"in_person": [contact(source=None)]}}, "renew.in_person.source"),
        ({"renew": {"in_person": [contact(checked_on=None)]}}, "renew.in_person.checked_on"),
        ({"renew": {"by_post": [contact()]}}, "renew.by_post"),
    ],
)
def test_a_value_in_the_wrong_shape_is_named(data: dict[str, Any], key: str) -> None:
    [error] = errors(**data)
    assert error.startswith(f"{key}: ")


def test_all_errors_come_at_once() -> None:
    found = errors(
        name="",
        ussd="*100#",
        contact={"fax": contact(), "hotline": contact(value="", source="")},
        line_loss=[fact(days=-1, source=None, checked_on=None), fact(days=0)],
        balance_loss=30,
    )
    assert sorted(error.partition(": ")[0] for error in found) == [
        "balance_loss",
        "contact.fax",
        "contact.hotline.source",
        "contact.hotline.value",
        "line_loss.checked_on",
        "line_loss.days",
        "line_loss.days",
        "line_loss.source",
        "name",
        "ussd",
    ]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CONFIG, tmp_path / "config"))


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def test_the_rules_that_come_with_the_program_can_be_loaded(config: Path) -> None:
    assert load_rules(config) == RULES


def test_all_errors_of_all_files_come_at_once_each_with_its_file(config: Path) -> None:
    append(config / "policies.toml", '"tomorrow" = "sms"\n')
    claro = config / "operators" / "claro.toml"
    claro.write_text("surprise = 1\n" + claro.read_text(encoding="utf-8"), encoding="utf-8")
    (config / "operators" / "cuy.toml").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        load_rules(config)
    lines = [line.strip() for line in raised.value.message.splitlines()]
    assert f"{config / 'operators' / 'cuy.toml'}: name: the operator's name is missing" in lines
    policies = config / "policies.toml"
    last = len(policies.read_text(encoding="utf-8").splitlines())
    assert sum(line.startswith(f"{policies}, line {last}: esim.tomorrow: ") for line in lines)
    assert sum(line.startswith(f"{claro}, line 1: surprise: not known here") for line in lines)
    assert len(lines) == 4  # and a heading


def test_a_file_that_is_no_toml_is_named(config: Path) -> None:
    broken = config / "operators" / "claro.toml"
    append(broken, "days = \n")
    with pytest.raises(ConfigError, match=r"claro\.toml is not valid TOML: .*line"):
        load_rules(config)


def test_a_directory_without_policies_or_packs_is_named(config: Path) -> None:
    shutil.rmtree(config / "operators")
    with pytest.raises(ConfigError, match="operators: there is no operator pack"):
        load_rules(config)
    (config / "policies.toml").unlink()
    with pytest.raises(ConfigError, match=r"There is no configuration file .*policies\.toml"):
        load_rules(config)
