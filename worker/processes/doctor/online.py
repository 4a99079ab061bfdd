"""Do the providers know us? Asked with a GET that sends nothing and costs nothing."""

import json
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError

from worker.monitoring.secret_calls import get
from worker.processes.doctor.findings import CheckResult
from worker.providers.declaration import Question, Remark
from worker.setup.app import App
from worker.setup.gateways import Gateway


class _RefusedError(Exception):
    """The provider answered, and not with what was asked for."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def ask_providers(app: App) -> Iterator[CheckResult]:
    """Each provider that is set is asked what its declaration says."""
    for gateway in app.gateways.own.values():
        told = _ask(gateway)
        yield CheckResult("online", told.level, told.message, told.hint)


def _ask(gateway: Gateway) -> Remark:
    question = gateway.provider.question(gateway.account)
    if isinstance(question, Remark):
        return question
    provider = gateway.provider.title
    try:
        return question.read(_get(question))
    except _RefusedError as error:
        if error.status in (401, 403):
            message = f"{provider} does not know these credentials (HTTP {error.status})"
            return Remark("error", message, f"correct {question.names}")
        message = f"{provider} answered with HTTP {error.status}"
        hint = "see the provider's status page, and whether something stands in between"
        return Remark("warning", message, hint)
    except (OSError, HTTPException, ValueError) as error:
        message = f"{provider} could not be asked ({type(error).__name__})"
        return Remark("error", message, "can it be reached from here? proxy, firewall")


def _get(question: Question) -> dict[str, Any]:
    headers = {"Authorization": question.authorization}
    request = urllib.request.Request(question.url, headers=headers)  # noqa: S310
    try:
        found = json.loads(get(request, 65_536))
    except HTTPError as error:
        raise _RefusedError(error.code) from None
    if not isinstance(found, dict):
        raise ValueError("it is not what was asked for")
    return found
