"""One message: what exactly happened to it, and what a keeper decides about it."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from worker.core.actor import Actor, Source
from worker.core.deadlines import DeadlineKind
from worker.core.lifecycle import ENDS
from worker.core.masking import last_four
from worker.core.reminders import WAITING, MessageState
from worker.core.segments import measure
from worker.core.tokens import without_tokens
from worker.core.viewer import Role
from worker.pipeline.decisions import DecisionError
from worker.pipeline.noting import Note
from worker.pipeline.telling_again import AgainError
from worker.store import audit, message_states
from worker.store.console import messages as reads
from worker.web.console.catalogs import marked as _
from worker.web.console.failures import failure
from worker.web.console.message_timeline import owed_at, steps
from worker.web.console.message_words import delay, standing
from worker.web.console.shell import ConsolePage, Shell
from worker.web.console.templates import render
from worker.web.console.visit import Visit

# Of what is framed: it runs nothing, loads nothing, and only our own pages frame it.
FRAMED_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'"
)
_NOT_AGAIN: Final = (
    _("It cannot be told again now"),
    _(
        "Its card may be paused, renewed or closed, its deadline may have moved, it may have been "
        "told three times today, or something of it has still to be sent."
    ),
)
_DONE: Final = ("retry", "cancel", "settle", "again")


class SentBeforeError(Exception):
    """The same form did it already."""


def pages(shell: Shell) -> list[ConsolePage]:
    """The addresses."""
    own = MessagePages(shell)
    here = "/messages/{message_id:int}"
    return [
        ConsolePage("GET", here, own.look),
        ConsolePage("GET", f"{here}/email", own.email),
        ConsolePage("POST", f"{here}/retry", own.retry),
        ConsolePage("POST", f"{here}/cancel", own.cancel),
        ConsolePage("POST", f"{here}/settle", own.settle),
        ConsolePage("POST", f"{here}/again", own.again),
    ]


class MessagePages:
    """Answers for them."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def look(self, visit: Visit) -> Response:
        """The page."""
        found = self._found(visit)
        said, until = standing(found, visit.now, self._shell.app.rules.hours)
        state, may = found["state"], visit.viewer.may
        arrived = state == MessageState.DELIVERED
        done = visit.query.get("done", "")
        sms = found["channel"] == "sms" and found["body"]
        return self._shell.page(
            visit,
            "message",
            message=found,
            said=self._shell.say(visit, said),
            until=until,
            late=delay(owed_at(found), found["delivered_at"]) if arrived else None,
            steps=steps(found),
            measured=measure(found["body"]) if sms else None,
            text=without_tokens(found["body"] or ""),
            cards=[{**card, "digits": _digits(card)} for card in found["cards"]],
            of_card=_of_card(found),
            may_act=may(Role.OPERATOR, found["book_id"]),
            may_settle=may(Role.ADMIN, found["book_id"]) and state == MessageState.UNKNOWN,
            waits=state in WAITING,
            may_tell_again=state in ENDS and _tells_of_deadlines(found),
            done=done if done in _DONE else "",
            card_day=self._shell.book_day(visit.now),
        )

    def email(self, visit: Visit) -> Response:
        """The text of an email as a page of its own, which is framed."""
        found = self._found(visit)
        if found["channel"] == "sms" or not found["body"]:
            raise HTTPException(404)
        kept = {part: without_tokens(found[part] or "") for part in ("subject", "body")}
        page = render("message_email", visit.tongue, {**kept, "language": found["language"]})
        return HTMLResponse(page, headers={"Content-Security-Policy": FRAMED_POLICY})

    def retry(self, visit: Visit) -> Response:
        """Look at it at the next tick."""
        decisions = self._shell.app.decisions
        return self._decide(visit, "retry", Role.OPERATOR, decisions.retry_now)

    def cancel(self, visit: Visit) -> Response:
        """Never send it."""
        decisions = self._shell.app.decisions
        return self._decide(visit, "cancel", Role.OPERATOR, decisions.cancel)

    def settle(self, visit: Visit) -> Response:
        """Say whether it was sent, as the provider's own pages show."""
        decisions = self._shell.app.decisions
        arrived = visit.field("arrived")
        if arrived not in ("yes", "no"):
            self._found(visit, Role.ADMIN)
            raise HTTPException(400)
        given = {"was_sent": arrived == "yes"}
        return self._decide(visit, "settle", Role.ADMIN, decisions.settle, **given)

    def again(self, visit: Visit) -> Response:
        """Tell once more what it told of deadlines."""
        telling = self._shell.app.telling_again
        return self._decide(visit, "again", Role.OPERATOR, telling.message)

    def _decide(
        self, visit: Visit, act: str, role: Role, do: Callable[..., Any], **given: Any
    ) -> Response:
        """Do it, with who did it, or say that it cannot be done any more."""
        found, message_id = self._found(visit, role), visit.ids["message_id"]
        back = f"/messages/{message_id}"
        by = Actor(Source.KEEPER, visit.own.user.name)
        note = self._note(visit, act, found)
        try:
            came = do(message_id, visit.now, by=by, note=note, **given)
        except SentBeforeError:
            return visit.go(f"{back}?done={act}")
        except DecisionError:
            return failure(self._shell, visit, 409, back)
        except AgainError:
            return failure(self._shell, visit, 409, back, _NOT_AGAIN)
        there = f"/messages/{came.messages[0]}" if act == "again" and came.messages else back
        return visit.go(f"{there}?done={act}")

    def _note(self, visit: Visit, act: str, found: Mapping[str, Any]) -> Note:
        message_id, doer = found["id"], visit.doer()

        def note(conn: Connection) -> None:
            """What was decided on may be another attempt by now."""
            if doer.form_id is not None and audit.done(conn, doer.form_id):
                raise SentBeforeError
            held = message_states.hold(conn, [message_id]).get(message_id)
            if held is None or str(held.attempts) != visit.field("attempts"):
                raise DecisionError("The message has changed since it was shown.", "Look again.")
            what: dict[str, Any] = {"subject": "message", "subject_id": message_id}
            what["book_id"] = found["book_id"]
            if not audit.write(conn, doer, f"message_{act}", visit.now, **what):
                raise SentBeforeError

        return note

    def _found(self, visit: Visit, role: Role = Role.VIEWER) -> Mapping[str, Any]:
        """The message; 404 unless it is of a book of whoever asks, 403 where he may only look."""
        with self._shell.reading() as conn:
            found = reads.show(conn, visit.viewer, visit.ids["message_id"])
        if found is None:
            raise HTTPException(404)
        if not visit.viewer.may(role, found["book_id"]):
            raise HTTPException(403)
        return found


def _digits(card: Mapping[str, Any]) -> str:
    return last_four(card["msisdn"], card["iccid"])


def _of_card(found: Mapping[str, Any]) -> dict[int, list[Mapping[str, Any]]]:
    """The notices in it, by card."""
    told: dict[int, list[Mapping[str, Any]]] = {}
    for one in found["reminders"]:
        told.setdefault(one["card_id"], []).append(one)
    return told


def _tells_of_deadlines(found: Mapping[str, Any]) -> bool:
    """Can something of it be told again? What happened to a card is told once."""
    kinds = {kind.value for kind in DeadlineKind}
    return any(
        one["deadline"] in kinds and one["channel"] != "guardian" for one in found["reminders"]
    )
