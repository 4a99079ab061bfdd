"""What SendGrid refuses in a mail/send request: the whole request, and each personalization.

Source: as ``sendgrid_fields``. The sandbox's account has no templates and no IP pools, so a
``template_id`` or ``ip_pool_name`` is never one of its own.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any, Final

from worker.sandbox import sendgrid_fields as fields
from worker.sandbox.sendgrid_fields import FieldProblem, unknown_keys, wrong_type

_LIMIT: Final = 1000
_CATEGORIES_LIMIT, _CATEGORY_LENGTH = 10, 255
_PARTIES: Final = ("to", "cc", "bcc")
_TOP: Final = """personalizations from reply_to reply_to_list subject content attachments
    template_id headers categories custom_args send_at batch_id asm ip_pool_name mail_settings
    tracking_settings sections"""
_PERSONALIZATION: Final = """from to cc bcc subject headers custom_args send_at substitutions
    dynamic_template_data"""
_TOP_KEYS: Final = frozenset(_TOP.split())
_PERSONALIZATION_KEYS: Final = frozenset(_PERSONALIZATION.split())


def problems(mail: object, now: datetime) -> list[FieldProblem]:
    """All that is wrong with a request body, in the order of its parts; empty when accepted."""
    if not isinstance(mail, dict):
        return list(wrong_type(mail, dict, ""))
    return [*_top(mail, now), *_personalizations(mail, now)]


def _top(mail: dict[str, Any], now: datetime) -> Iterator[FieldProblem]:
    yield from unknown_keys(mail, _TOP_KEYS, "")
    if "from" not in mail:
        yield FieldProblem("The from object must be provided for every email send.", "from")
    if "content" not in mail:
        yield FieldProblem("The content param is required.", "content")
    if "reply_to" in mail and "reply_to_list" in mail:
        yield FieldProblem("reply_to and reply_to_list exclude each other.", "reply_to")
    checks: dict[str, Callable[[Any], Iterator[FieldProblem]]] = {
        "from": partial(fields.address, field="from"),
        "reply_to": partial(fields.address, field="reply_to"),
        "reply_to_list": partial(_each, check=fields.address, field="reply_to_list"),
        "subject": partial(fields.subject, field="subject"),
        "content": fields.content,
        "attachments": partial(_each, check=fields.attachment, field="attachments"),
        "headers": partial(fields.headers, field="headers"),
        "custom_args": partial(fields.custom_args, field="custom_args"),
        "send_at": partial(fields.send_at, field="send_at", now=now),
        "categories": _categories,
        "asm": _asm,
        "batch_id": partial(wrong_type, expected=str, field="batch_id"),
        "mail_settings": partial(wrong_type, expected=dict, field="mail_settings"),
        "tracking_settings": partial(wrong_type, expected=dict, field="tracking_settings"),
        "sections": partial(wrong_type, expected=dict, field="sections"),
        "template_id": partial(_not_ours, field="template_id"),
        "ip_pool_name": partial(_not_ours, field="ip_pool_name"),
    }
    for name, check in checks.items():
        if name in mail:
            yield from check(mail[name])


def _each(
    value: object, check: Callable[[object, str], Iterator[FieldProblem]], field: str
) -> Iterator[FieldProblem]:
    if not isinstance(value, list):
        yield from wrong_type(value, list, field)
        return
    if len(value) > _LIMIT:
        yield FieldProblem(f"There is a limit of {_LIMIT}.", field)
    for number, item in enumerate(value[:_LIMIT]):
        yield from check(item, f"{field}.{number}")


def _categories(value: object) -> Iterator[FieldProblem]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        yield FieldProblem("Categories must be an array of strings.", "categories")
        return
    if len(value) > _CATEGORIES_LIMIT:
        yield FieldProblem(f"There is a limit of {_CATEGORIES_LIMIT} categories.", "categories")
    if len(set(value)) < len(value):
        yield FieldProblem("The categories must be a unique list.", "categories")
    for number, name in enumerate(value):
        if not name.isascii() or len(name) > _CATEGORY_LENGTH:
            yield FieldProblem("A category is ASCII, up to 255 characters.", f"categories.{number}")


def _asm(value: object) -> Iterator[FieldProblem]:
    if not isinstance(value, dict) or type(value.get("group_id")) is not int:
        yield FieldProblem("The ASM group ID must be an integer.", "asm.group_id")


def _not_ours(_value: object, field: str) -> Iterator[FieldProblem]:
    yield FieldProblem(f"The {field} is not one of your account.", field)


def _personalizations(mail: dict[str, Any], now: datetime) -> Iterator[FieldProblem]:
    blocks = mail.get("personalizations")
    if not isinstance(blocks, list) or not blocks:
        yield FieldProblem("There must be at least one personalization.", "personalizations")
        return
    if len(blocks) > _LIMIT:
        yield FieldProblem(
            f"There is a limit of {_LIMIT} personalizations, {len(blocks)} were given.",
            "personalizations",
        )
        return
    for number, block in enumerate(blocks):
        if isinstance(block, dict):
            yield from _block(block, f"personalizations.{number}", mail, now)
        else:
            yield from wrong_type(block, dict, f"personalizations.{number}")
    if sum(len(recipients(block)) for block in blocks) > _LIMIT:
        yield FieldProblem(f"There is a limit of {_LIMIT} recipients in all.", "personalizations")


def _block(
    block: dict[str, Any], field: str, mail: dict[str, Any], now: datetime
) -> Iterator[FieldProblem]:
    yield from unknown_keys(block, _PERSONALIZATION_KEYS, field)
    if not isinstance(block.get("to"), list) or not block["to"]:
        yield FieldProblem("The to array is required, with at least one address.", f"{field}.to")
    for name in _PARTIES:
        yield from _each(block.get(name, []), fields.address, f"{field}.{name}")
    yield from _duplicates(block, field)
    if "from" in block:
        yield from fields.address(block["from"], f"{field}.from")
    if "subject" in block:
        yield from fields.subject(block["subject"], f"{field}.subject")
    elif "subject" not in mail:
        yield FieldProblem("The subject is required, here or for every personalization.", "subject")
    if "headers" in block:
        yield from fields.headers(block["headers"], f"{field}.headers")
    if "send_at" in block:
        yield from fields.send_at(block["send_at"], f"{field}.send_at", now)
    for name in ("substitutions", "dynamic_template_data"):
        if name in block:
            yield from wrong_type(block[name], dict, f"{field}.{name}")
    if "custom_args" in block:
        yield from fields.custom_args(block["custom_args"], f"{field}.custom_args")
    yield from fields.args_too_large(merged(mail, block, "custom_args"), f"{field}.custom_args")


def _duplicates(block: dict[str, Any], field: str) -> Iterator[FieldProblem]:
    seen: set[str] = set()
    for email in recipients(block):
        if email.lower() in seen:
            yield FieldProblem("An address is unique between to, cc and bcc.", field)
            return
        seen.add(email.lower())


def recipients(block: object) -> list[str]:
    """The addresses of a personalization, to, cc and bcc, as far as they can be read."""
    if not isinstance(block, dict):
        return []
    parties = [block.get(name) for name in _PARTIES]
    people = [person for party in parties if isinstance(party, list) for person in party]
    emails = [person.get("email") for person in people if isinstance(person, dict)]
    return [email for email in emails if isinstance(email, str)]


def merged(mail: dict[str, Any], block: dict[str, Any], name: str) -> dict[str, Any]:
    """``custom_args`` or ``headers`` of a personalization on top of those of the message."""
    parts = [part for part in (mail.get(name), block.get(name)) if isinstance(part, dict)]
    return {key: value for part in parts for key, value in part.items()}
