"""What an SMS looks like on its way to a number."""

from typing import Any

import pytest

from tests.unit.core_helpers import RULES, a_card, a_holder
from worker.core.addressing import sms_language, ways
from worker.core.cards import Destination, Language
from worker.core.routes import Registered, Route, Routes
from worker.setup.route_file import RouteFile
from worker.tables import read

REAL = RULES.routes
PERU = Route("+51", frozenset({Language.ES_PE, Language.EN}), Language.ES_PE)


def errors(data: dict[str, Any]) -> list[str]:
    return read(RouteFile, data)[1]


@pytest.mark.parametrize(
    ("number", "reads", "gets"),
    [
        ("+51987654321", Language.ZH_HANS, Language.ES_PE),
        ("+51987654321", Language.ZH_HANT, Language.ES_PE),
        ("+51987654321", Language.EN, Language.EN),
        ("+8613800138000", Language.ZH_HANS, Language.ZH_HANS),
        ("+8613800138000", Language.ES_PE, Language.ES_PE),
        ("+14155550100", Language.ZH_HANS, Language.ZH_HANS),
        ("+34600000000", Language.ES_PE, Language.ES_PE),
    ],
)
def test_an_sms_goes_in_a_language_that_arrives(
    number: str, reads: Language, gets: Language
) -> None:
    assert REAL.route(number).language_for(reads) is gets


def test_china_has_at_most_two_attempts_a_day_and_nobody_else_a_limit() -> None:
    assert REAL.route("+8613800138000").per_day == 2
    assert REAL.route("+51987654321").per_day is None


def test_the_longest_prefix_counts() -> None:
    lima = Route("+511", frozenset(Language))
    routes = Routes((lima, PERU))
    assert routes.route("+51112345678") is lima
    assert routes.route("+51987654321") is PERU
    assert routes.route("+4915112345678").language_for(Language.ZH_HANS) is Language.ZH_HANS


def test_an_sms_in_another_language_has_the_email_beside_it() -> None:
    holder = a_holder(contact_phone="+51987654321", language=Language.ZH_HANS)
    routes = Routes((PERU,))
    assert sms_language(a_card(), holder, routes) is Language.ES_PE
    both = [(Destination.SMS, False), (Destination.EMAIL, False)]
    assert list(ways(a_card(), holder, (Destination.SMS,), routes)) == both
    reader = a_holder(contact_phone="+51987654321", language=Language.ES_PE)
    assert list(ways(a_card(), reader, (Destination.SMS,), routes)) == both[:1]
    alone = a_holder(contact_phone="+51987654321", language=Language.ZH_HANS, email=None)
    assert list(ways(a_card(), alone, (Destination.SMS,), routes)) == both[:1]
    unknown = a_holder(contact_phone=None, language=Language.ZH_HANS)
    assert sms_language(a_card(msisdn=None), unknown, routes) is Language.ZH_HANS


def test_a_registered_text_is_read_with_its_parameters() -> None:
    entry = {
        "prefix": "+86",
        "languages": ["zh-Hans"],
        "templates": {"plan_ended": {"zh-Hans": {"id": "HX1", "parameters": ["tail", "date"]}}},
    }
    file, problems = read(RouteFile, {"route": [entry]})
    assert problems == []
    assert file is not None
    found = file.routes().routes[0].templates["plan_ended", Language.ZH_HANS]
    assert found == Registered("HX1", ("tail", "date"))


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"prefix": "51", "languages": ["en"]}, "route.51.prefix"),
        ({"prefix": "+51"}, "route.+51.languages"),
        ({"prefix": "+51", "languages": ["fr"]}, "route.+51.languages"),
        ({"prefix": "+51", "languages": ["en"], "fallback": "es-PE"}, "route.+51.fallback"),
        ({"prefix": "+51", "languages": ["en"], "per_day": 0}, "route.+51.per_day"),
        ({"prefix": "+51", "languages": ["en"], "per_day": True}, "route.+51.per_day"),
        ({"prefix": "+51", "languages": ["en"], "colour": 1}, "route.+51.colour"),
        (
            {"prefix": "+51", "languages": ["en"], "templates": {"e": {"en": {"id": 3}}}},
            "route.+51.templates.e.en.id",
        ),
        (
            {
                "prefix": "+51",
                "languages": ["en"],
                "templates": {"e": {"en": {"id": "H", "parameters": ["price"]}}},
            },
            "route.+51.templates.e.en.parameters",
        ),
    ],
)
def test_every_mistake_is_told_with_its_key(entry: dict[str, Any], says: str) -> None:
    assert [error for error in errors({"route": [entry]}) if error.startswith(f"{says}: ")]


def test_all_mistakes_are_told_at_once() -> None:
    found = errors({"rout": 1, "route": [{"prefix": "x"}, {"languages": []}]})
    assert {error.partition(": ")[0] for error in found} == {
        *("rout", "route.x.prefix", "route.x.languages", "route.2.prefix", "route.2.languages"),
    }
    twice = {"prefix": "+1", "languages": ["en"]}
    assert errors({"route": [twice, twice]}) == ["route.+1: there 2 times"]
    assert errors({"route": 1}) == ["route: write [[route]] with prefix and languages"]


def test_answers_arrive_unless_a_route_says_otherwise() -> None:
    assert not REAL.route("+51987654321").replies
    assert not REAL.route("+8613800138000").replies
    assert REAL.route("+14155550100").replies


@pytest.mark.parametrize(
    ("sender", "hears"),
    [
        ("+14155550100", True),
        ("MG" + "0" * 32, True),
        # A name cannot be answered, whatever the route.
        ("Vigencia", False),
        ("MG Cards", False),
    ],
)
def test_nobody_can_answer_a_name(sender: str, hears: bool) -> None:
    assert REAL.route("+14155550100").hears(sender) is hears
    assert not REAL.route("+8613800138000").hears(sender)


def test_a_route_says_plainly_whether_answers_arrive() -> None:
    entry = {"prefix": "+56", "languages": ["en"], "replies": "no"}
    assert errors({"route": [entry]}) == ["route.+56.replies: write true or false"]
