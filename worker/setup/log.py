"""Logs on stderr, as text or JSON, without a secret, a full number or an email address."""

import logging
import re
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, TextIO

import structlog

from worker import metrics
from worker.setup.terminal import in_colour

_EMAIL = re.compile(r"([\w.+-])[\w.+-]*(@|%40)(?=\w)")
# Letters of other scripts may stand right beside a number ("号码519…"), so \b and \w do not do. A
# UUID is matched first to be left alone; %2B is the plus sign in a URL.
_NUMBER = re.compile(
    r"(?P<uuid>\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b)"
    r"|(?:(?<![\dA-Za-z])|(?<=%2B)|(?<=%2b))"
    r"(?:\+\d(?:[ .()-]{0,2}\d){8,}|\d{9,})(?P<spare>F?)(?![\dA-Za-z])"
)


def mask(text: str) -> str:
    """``text`` with email addresses and numbers of 9 digits or more shortened to their ends."""
    return _NUMBER.sub(_last_digits, _EMAIL.sub(r"\1***\2", text))


def _last_digits(found: re.Match[str]) -> str:
    if found["uuid"]:
        return found["uuid"]
    digits = [character for character in found[0] if character.isdecimal()]
    return "***" + "".join(digits[-4:]) + found["spare"]


def configure(
    level: str = "INFO",
    style: str = "auto",
    stream: TextIO | None = None,
    filters: Iterable[logging.Filter] = (),
) -> None:
    """Send structlog and the standard library's logging to ``stream`` (stderr) in one form, without
    what ``filters`` keep back."""
    # A line that cannot be written is lost; printing why would show its arguments unmasked.
    logging.raiseExceptions = False
    as_json = style == "json" or (style == "auto" and not sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _masked,
    ]
    structlog.configure(
        processors=[_counted, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=in_colour(sys.stderr))
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    for each in filters:
        handler.addFilter(each)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("aiohttp").setLevel(logging.WARNING)
    # dramatiq tells of every message at INFO; its hints are not news.
    logging.getLogger("dramatiq").setLevel(logging.WARNING if level == "INFO" else level)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _counted(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Every alarm counts, whoever raises it."""
    if event.get("event") == "alarm":
        metrics.alarm(str(event.get("cause")))
    return event


def _masked(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if key not in ("timestamp", "level", "logger") and not key.startswith("_"):
            event[key] = _private(value)
    return event


def _private(value: Any) -> Any:
    """``value`` as it may be printed; what is no plain value is printed by its masked ``repr``."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return {mask(str(key)): _private(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_private(inner) for inner in value]
    return mask(repr(value))
