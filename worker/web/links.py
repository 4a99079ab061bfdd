"""The pages behind the links in messages: stop, have again, topped up, it works, it does not work,
remind me tomorrow.

A GET never changes anything: mail scanners and previews follow every link. Whoever presses the
button posts; so does a mail program's own button (RFC 8058). No cookies, no account.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from email.message import Message
from email.parser import BytesParser
from typing import Final
from urllib.parse import parse_qsl

import structlog
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from worker.content.pages import POLICY, Pages
from worker.core.cards import Channel, Language
from worker.core.life import LifeEvent
from worker.core.tokens import BadTokenError, ExpiredTokenError, Purpose, Signer
from worker.errors import UnreachableError
from worker.paths import templates_dir
from worker.pipeline.answers.stopping import Choice
from worker.pipeline.answers.view import State, View
from worker.setup.app import App
from worker.setup.load_texts import pages

log = structlog.get_logger(__name__)

_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_PAGE: Final = {
    Purpose.STOP_SMS: "stop",
    Purpose.STOP_EMAIL: "stop",
    Purpose.RESUME: "resume",
    Purpose.RENEWED: "renewed",
    Purpose.TOMORROW: "tomorrow",
    Purpose.WORKS: "works",
    Purpose.FAILS: "fails",
}
_ANSWER: Final = {
    Purpose.WORKS: LifeEvent.CONFIRMED,
    Purpose.FAILS: LifeEvent.RENEWAL_FAILED,
}
_CHANNEL: Final = {Purpose.STOP_SMS: Channel.SMS, Purpose.STOP_EMAIL: Channel.EMAIL}
_MOST_FIELDS: Final = 20
_LATER: Final = {"Retry-After": "60"}


def routes(app: App) -> list[Route]:
    """The pages; none where links are not signed, for then no message has any."""
    if app.signer is None:
        return []
    links = LinkPages(app, app.signer, pages(templates_dir()))
    return [
        Route(f"/{purpose}/{{token}}", links.endpoint(purpose), methods=["GET", "POST"])
        for purpose in Purpose
    ]


@dataclass(frozen=True, slots=True)
class LinkPages:
    """Answers what a token allows, and the same for all that it does not."""

    app: App
    signer: Signer
    pages: Pages

    def endpoint(self, purpose: Purpose) -> Callable[[Request], Awaitable[Response]]:
        """The handler of one purpose."""

        async def handle(request: Request) -> Response:
            now = self.app.now()
            try:
                row = self.signer.read(purpose, request.path_params["token"], now)
            except BadTokenError:
                return self._failure("unknown", 404)
            except ExpiredTokenError:
                return self._failure("expired", 410)
            form = await _form(request) if request.method == "POST" else None
            try:
                return await asyncio.to_thread(self._answer, purpose, row, form, now)
            except UnreachableError:
                return self._failure("later", 503, _LATER)

        return handle

    def _answer(
        self, purpose: Purpose, row: int, form: Mapping[str, str] | None, now: datetime
    ) -> Response:
        if form is None:
            view = self._look(purpose, row, now)
        else:
            view = self._act(purpose, row, form, now)
            log.info("link_used", purpose=purpose.name.lower(), state=view.state if view else None)
        if view is None:
            return self._failure("unknown", 404)
        asks = view.renewal
        html = self.pages.render(
            _PAGE[purpose],
            view.language,
            view=view,
            back=self._beside(Purpose.RESUME, row, now) if _PAGE[purpose] == "stop" else None,
            works=None if asks is None else self._beside(Purpose.WORKS, asks, now),
            fails=None if asks is None else self._beside(Purpose.FAILS, asks, now),
        )
        return HTMLResponse(html, 400 if view.state is State.WRONG else 200, _HEADERS)

    def _beside(self, purpose: Purpose, row: int, now: datetime) -> str:
        """The link from one page to another: up from /o/ or /u/, so that it holds below a public
        address with a path too."""
        return f"../{purpose}/{self.signer.sign(purpose, row, now)}"

    def _look(self, purpose: Purpose, row: int, now: datetime) -> View | None:
        match purpose:
            case Purpose.STOP_SMS | Purpose.STOP_EMAIL:
                return self.app.stopping.look(row, _CHANNEL[purpose])
            case Purpose.RESUME:
                return self.app.stopping.look_back(row)
            case Purpose.RENEWED:
                return self.app.answers.look_renewed(row, now)
            case Purpose.TOMORROW:
                return self.app.answers.look_tomorrow(row, now)
            case Purpose.WORKS | Purpose.FAILS:
                return self.app.renewals.look(row, _ANSWER[purpose], now)

    def _act(
        self, purpose: Purpose, row: int, form: Mapping[str, str], now: datetime
    ) -> View | None:
        match purpose:
            case Purpose.STOP_SMS | Purpose.STOP_EMAIL:
                one_click = form.get("List-Unsubscribe") == "One-Click"
                source = "one_click" if one_click else "link"
                choice: Choice | None = "all" if one_click else _choice(form)
                channel = _CHANNEL[purpose]
                return self.app.stopping.stop(row, channel, now, source=source, choice=choice)
            case Purpose.RESUME:
                return self.app.stopping.resume(row, now)
            case Purpose.RENEWED:
                return self.app.answers.renewed(row, _day(form.get("end", "")), now)
            case Purpose.TOMORROW:
                return self.app.answers.tomorrow(row, now)
            case Purpose.WORKS | Purpose.FAILS:
                return self.app.renewals.say(row, _ANSWER[purpose], now)

    def _failure(self, reason: str, status: int, more: Mapping[str, str] | None = None) -> Response:
        """The same page for whatever is wrong, in every language: it tells nobody anything."""
        html = self.pages.render("gone", Language.EN, reason=reason, languages=list(Language))
        return HTMLResponse(html, status, {**_HEADERS, **(more or {})})


def _choice(form: Mapping[str, str]) -> Choice | None:
    """The card to be silent about, or all; ``None`` where nothing was chosen."""
    text = form.get("card", "")
    if text == "all":
        return "all"
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form; RFC 8058 allows both encodings. What is no form has none."""
    body, kind = await request.body(), request.headers.get("Content-Type", "")
    if kind.lower().startswith("multipart/form-data"):
        head = f"Content-Type: {kind}\r\n\r\n".encode("latin-1", "replace")
        parts = BytesParser().parsebytes(head + body).get_payload()
        messages = [p for p in parts if isinstance(p, Message)] if isinstance(parts, list) else []
        return dict(map(_part, messages[:_MOST_FIELDS]))
    try:
        pairs = parse_qsl(body.decode("utf-8", "replace"), max_num_fields=_MOST_FIELDS)
    except ValueError:
        return {}
    return dict(pairs)


def _part(part: Message) -> tuple[str, str]:
    """Name and value of one part of a multipart form."""
    name, value = part.get_param("name", "", "content-disposition"), part.get_payload(decode=True)
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else ""
    return str(name), text.strip()
