"""No full number and no email address in a log, whichever way it gets there."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from worker.providers.transport import Transport
from worker.setup.gateways import choose
from worker.setup.log import configure, mask
from worker.setup.settings import Settings

NUMBER, EMAIL = "+51987654321", "li.wei+sim@example.com"
PRIVATE = ("987654321", "51987654321", "li.wei", "wei+sim@")

ANY_LANGUAGE = st.characters(categories=["Lu", "Ll", "Lo", "Po", "Zs"]).filter(
    lambda c: not (c.isascii() and c.isalnum())
)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("+51987654321", "***4321"),
        ("51987654321", "***4321"),
        ("987654321", "***4321"),
        ("to +51987654321, then", "to ***4321, then"),
        ("whatsapp:+51987654321", "whatsapp:***4321"),
        ("To=%2B51987654321&x=1", "To=%2B***4321&x=1"),
        ("?To=%2b51987654321", "?To=%2b***4321"),
        ("'+51987654321'", "'***4321'"),
        ('{"to": "+51987654321"}', '{"to": "***4321"}'),
        ("sim-51987654321", "sim-***4321"),
        ("51987654321-1", "***4321-1"),
        ("手机号51987654321已过期", "手机号***4321已过期"),
        ("号码+51987654321。", "号码***4321。"),
        ("número：51987654321", "número：***4321"),
        ("+51 987 654 321", "***4321"),
        ("+51-987-654-321", "***4321"),
        ("8951061234567890123F", "***0123F"),
        ("716101234567890", "***7890"),
        ("５１９８７６５４３２１", "***４３２１"),
    ],
)
def test_numbers_are_shortened_to_their_last_four_digits(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("li@example.com", "l***@example.com"),
        ("<li.wei+sim@example.com>", "<l***@example.com>"),
        ("to li@example.com.", "to l***@example.com."),
        ("李@example.com", "李***@example.com"),
        ("邮箱：li@example.com", "邮箱：l***@example.com"),
        ("https://user:secret@example.com/", "https://user:s***@example.com/"),
        ("root@localhost", "r***@localhost"),
        ("a@x.com b@y.com", "a***@x.com b***@y.com"),
        ("To=li.wei%40example.com", "To=l***%40example.com"),
    ],
)
def test_emails_are_shortened_to_their_first_letter(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "",
        "message 123456, card 7654321",
        "2026-06-12T09:00:00.123456+00:00",
        "2026-06-12 09:00 -0500, 20260612",
        "SM0123456789abcdef0123456789abcdef",
        "123e4567-e89b-12d3-a456-426614174000",
        "12345678-1234-4234-8234-123456789012",
        "twilio:21211 after 12 attempts",
        "0x7f3a12345678",
        "sha256:9f86d081884c7d659a2feaa0c55ad015",
        "@dataclass",
        "12345678",
    ],
)
def test_what_names_no_person_is_left_as_it_is(text: str) -> None:
    assert mask(text) == text


@given(st.text(ANY_LANGUAGE, max_size=5), st.text(ANY_LANGUAGE, max_size=5))
def test_no_neighbour_in_any_language_keeps_a_number_from_being_masked(
    before: str, after: str
) -> None:
    for number in (NUMBER, NUMBER[1:], NUMBER[3:]):
        assert "98765" not in mask(f"{before}{number}{after}")


Output = Callable[[], str]


@contextmanager
def configured(level: str, style: str) -> Iterator[Output]:
    """Logging as the program configures it; yields what is printed to stderr from here on."""
    root = logging.getLogger()
    before, printed = root.level, io.StringIO()
    with redirect_stderr(printed):
        configure(level, style)
    [handler] = root.handlers
    try:
        yield printed.getvalue
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
        structlog.reset_defaults()


@pytest.fixture(params=["json", "console"])
def output(request: pytest.FixtureRequest) -> Iterator[Output]:
    """What the program's logging printed to stderr."""
    with configured("DEBUG", request.param) as printed:
        yield printed


def logger() -> Any:
    return structlog.get_logger("vigencia.test")


def fail() -> None:
    to = NUMBER
    try:
        raise ValueError(f"The 'To' number {to} is not valid")
    except ValueError as error:
        raise RuntimeError(f"cannot tell {EMAIL}", {"to": to}) from error


def is_clean(text: str) -> bool:
    return not any(part in text for part in PRIVATE)


def test_a_traceback_shows_its_errors_without_their_addresses(output: Output) -> None:
    try:
        fail()
    except RuntimeError:
        logger().exception("alarm", cause="unexpected")
    text = output()
    assert "RuntimeError" in text
    assert "***4321" in text
    assert "l***@example.com" in text
    assert is_clean(text)


def test_a_traceback_of_a_foreign_logger_too(output: Output) -> None:
    try:
        fail()
    except RuntimeError:
        logging.getLogger("somebody.else").exception("for %s and %s", NUMBER, EMAIL)
    text = output()
    assert "RuntimeError" in text
    assert "for ***4321 and l***@example.com" in text
    assert is_clean(text)


@pytest.mark.parametrize(
    "value",
    [
        NUMBER,
        f"{NUMBER},{EMAIL}",
        [NUMBER, EMAIL],
        {"to": NUMBER, "nested": [{"email": EMAIL}]},
        {NUMBER: EMAIL},
        (NUMBER, EMAIL),
        {NUMBER, EMAIL},
        ValueError(f"{NUMBER} {EMAIL}"),
        f"{NUMBER} {EMAIL}".encode(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_of_any_type_is_masked(output: Output, value: Any) -> None:
    logger().warning("told", value=value)
    text = output()
    assert "told" in text
    assert "4321" in text
    assert is_clean(text)


def test_an_event_that_names_an_address_is_masked(output: Output) -> None:
    logger().info(f"told {NUMBER}")
    logger().info("told %s", NUMBER)
    text = output()
    assert text.count("***4321") == 2
    assert is_clean(text)


def test_values_bound_for_a_while_are_masked(output: Output) -> None:
    with structlog.contextvars.bound_contextvars(to=NUMBER):
        logger().info("told")
    text = output()
    assert "***4321" in text
    assert is_clean(text)


def test_ids_and_counts_are_left_as_they_are(output: Output) -> None:
    logger().info("told", message=1234567890, share=0.5, late=None, ok=True)
    text = output()
    assert "1234567890" in text
    if text.startswith("{"):
        line = json.loads(text)
        expected = {"message": 1234567890, "share": 0.5, "late": None, "ok": True}
        assert {key: line[key] for key in expected} == expected
        assert (line["event"], line["level"], line["logger"]) == ("told", "info", "vigencia.test")
        assert "T" in line["timestamp"]


def test_the_sdks_that_log_keys_and_numbers_stay_quiet(output: Output) -> None:
    choose(Settings()).open(Transport(), lambda: datetime.now(UTC))  # type: ignore[call-arg]
    for name in ("twilio.http_client", "python_http_client", "python_http_client.client"):
        logging.getLogger(name).info("a number")
        logging.getLogger(name).debug("a key")
        logging.getLogger(name).warning("a warning")
    text = output()
    assert text.count("a warning") == 3
    assert "a number" not in text
    assert "a key" not in text


def test_what_is_below_the_level_is_not_printed() -> None:
    with configured("WARNING", "json") as printed:
        logger().info("not this")
        logger().warning("this")
    assert [json.loads(line)["event"] for line in printed().splitlines()] == ["this"]


def test_stdout_is_left_to_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with configured("INFO", "json") as printed:
        logger().error("alarm")
    assert "alarm" in printed()
    assert capsys.readouterr().out == ""
