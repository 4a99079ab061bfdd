"""Logs on stderr, as text or JSON, without a secret, a full number or an email address."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

# What the SDKs would tell: Twilio's logs numbers at INFO, SendGrid's the API key at DEBUG.
_QUIET = ("twilio", "twilio.http_client", "vigencia.twilio", "python_http_client", "aiohttp")

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
_NUMBER = re.compile(r"(?<![\w-])\+?\d{5,}(\d{4})(?![\w-])")


def mask(text: str) -> str:
    """``text`` with email addresses and numbers of 9 digits or more shortened to their ends."""
    text = _EMAIL.sub(lambda m: m[0][0] + "***@" + m[0].partition("@")[2], text)
    return _NUMBER.sub(r"***\1", text)


def configure(level: str = "INFO", style: str = "auto") -> None:
    """Send structlog and the standard library's logging to stderr in one form."""
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
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # dramatiq tells of every message at INFO; its hints are not news.
    logging.getLogger("dramatiq").setLevel(logging.WARNING if level == "INFO" else level)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _masked(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str) and key not in ("timestamp", "level", "logger"):
            event[key] = mask(value)
    return event
