"""One card: what has this person been told, what comes next, and what does the keeper say?"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.responses import Response

from worker.core.cards import CardState
from worker.core.hours import local_day
from worker.core.life import Happening, LifeEvent
from worker.core.masking import last_four, masked_address
from worker.core.tokens import without_tokens
from worker.core.viewer import Role
from worker.errors import VigenciaError
from worker.store import audit
from worker.store import cards as card_store
from worker.store.cards import Watched
from worker.store.console import card as reads
from worker.store.console import messages as message_reads
from worker.store.console.card import CardPage
from worker.store.engine import writing
from worker.web.console import card_forms
from worker.web.console.failures import failure
from worker.web.console.history import history
from worker.web.console.ladder import line
from worker.web.console.shell import ConsolePage, Shell
from worker.web.console.visit import Visit

_TO_COME: Final = 12
# What may be revealed, each with the column that holds it.
_HIDDEN: Final = {"phone": "contact_phone", "email": "email", "number": "msisdn", "iccid": "iccid"}


def pages(shell: Shell) -> list[ConsolePage]:
    """The addresses."""
    own = CardPages(shell)
    return [
        ConsolePage("GET", "/cards/{card_id:int}", own.look),
        ConsolePage("POST", "/cards/{card_id:int}/events", own.say),
        ConsolePage("POST", "/cards/{card_id:int}/reveal", own.reveal),
        ConsolePage("GET", "/cards/{card_id:int}/recycle", own.ask_recycle, confirmed=True),
        ConsolePage("POST", "/cards/{card_id:int}/recycle", own.recycle, confirmed=True),
    ]


class CardPages:
    """Answers for them."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def look(self, visit: Visit) -> Response:
        """The page."""
        return self._page(visit, done=visit.query.get("done", ""))

    def say(self, visit: Visit) -> Response:
        """Something happened to the card: it is written with who said so, or not at all."""
        found, _ = self._found(visit, Role.OPERATOR)
        card = found.watched.card
        given = card_forms.filled(visit, card, local_day(visit.now, card.time_zone))
        if given.what is None:
            return self._page(visit, wrong=given.wrong)
        return self._record(visit, given.what, visit.field("event"))

    def ask_recycle(self, visit: Visit) -> Response:
        """The one act that nobody can undo: it asks for the number's last digits."""
        return self._recycling(visit, "")

    def recycle(self, visit: Visit) -> Response:
        """The number was taken back: it is never written to again."""
        found, _ = self._found(visit, Role.ADMIN)
        if visit.field("digits") != last_four(found.card["msisdn"], found.card["iccid"]):
            return self._recycling(visit, visit.field("digits"))
        return self._record(visit, Happening(LifeEvent.RECYCLED), LifeEvent.RECYCLED.value)

    def reveal(self, visit: Visit) -> Response:
        """Show one number or address whole, and note who looked."""
        name = visit.field("field")
        found, _ = self._found(visit, Role.OPERATOR)
        if name not in _HIDDEN or not found.card[_HIDDEN[name]]:
            raise HTTPException(404)
        # Each look is noted: a form with the number of a former one would show without a trace.
        unnumbered = replace(visit, form={**visit.form, "form_id": ()})
        with writing(self._shell.app.engine) as conn:
            self._note(conn, unnumbered, "revealed", found.watched, [name])
        return self._page(visit, revealed=name)

    def _record(self, visit: Visit, what: Happening, done: str) -> Response:
        card_id = visit.ids["card_id"]
        back = f"/cards/{card_id}"

        def guard(conn: Connection, watched: Watched) -> bool:
            """The book may have become another's, the card another, since the form was made."""
            role = Role.ADMIN if what.event is LifeEvent.RECYCLED else Role.OPERATOR
            if not visit.viewer.may(role, watched.card.book_id):
                raise HTTPException(404)
            form_id = visit.doer().form_id
            if form_id is not None and audit.done(conn, form_id):
                return False
            if visit.field("last_event") != str(card_store.last_event(conn, card_id)):
                raise HTTPException(409)
            fields = [name for name in ("plan_end", "last_topup", "balance") if visit.field(name)]
            return self._note(conn, visit, what.event.value, watched, fields)

        try:
            self._shell.app.life.record_if(guard, card_id, what, visit.now)
        except HTTPException as error:
            if error.status_code != 409:
                raise
            return failure(self._shell, visit, 409, back)
        except VigenciaError as error:
            if type(error) is not VigenciaError:  # a database that is away, and the like
                raise
            return failure(self._shell, visit, 409, back)
        return visit.go(f"{back}?done={done}")

    def _note(
        self, conn: Connection, visit: Visit, action: str, watched: Watched, fields: list[str]
    ) -> bool:
        card = watched.card
        what = {"subject": "card", "subject_id": card.id, "book_id": card.book_id}
        return audit.write(conn, visit.doer(), action, visit.now, fields=fields, **what)  # type: ignore[arg-type]

    def _found(self, visit: Visit, role: Role = Role.VIEWER) -> tuple[CardPage, dict[str, Any]]:
        """The card and what was last written of it; 404 unless it is in a book of whoever asks,
        403 where he may only look."""
        with self._shell.reading() as conn:
            found = reads.show(conn, visit.viewer, visit.ids["card_id"])
            if found is None:
                raise HTTPException(404)
            if not visit.viewer.may(role, found.card["book_id"]):
                raise HTTPException(403)
            return found, {
                "texts": self._texts(conn, visit, found),
                "last_event": card_store.last_event(conn, visit.ids["card_id"]),
            }

    def _texts(self, conn: Connection, visit: Visit, found: CardPage) -> list[dict[str, Any]]:
        """The last message to the holder over each channel whose text is still kept."""
        latest: dict[str, dict[str, Any]] = {}
        for row in sorted(found.messages, key=lambda row: -row["id"]):
            if row["sent_at"] is not None and row["channel"] not in latest:
                shown = message_reads.show(conn, visit.viewer, row["id"])
                if shown is not None and shown["body"]:
                    kept = {part: without_tokens(shown[part] or "") for part in ("subject", "body")}
                    latest[row["channel"]] = {**shown, **kept}
        return list(latest.values())

    def _page(
        self,
        visit: Visit,
        *,
        done: str = "",
        wrong: Mapping[str, str] | None = None,
        revealed: str = "",
    ) -> Response:
        found, own = self._found(visit)
        card, holder = found.watched.card, found.watched.holder
        rules, may = self._shell.app.rules, visit.viewer.may
        spans = [s for s in rules.spans(card, holder) if not s.window.closes]
        rests = card.paused or card.renewed_at is not None or card.state is not CardState.ACTIVE
        return self._shell.page(
            visit,
            "card",
            card=found.card,
            operator=rules.pack(card.operator).name,
            line=line(rules.ladder(card), spans, found.reminders, visit.now),
            card_day=local_day(visit.now, card.time_zone),
            to_come=[s for s in spans if s.at > visit.now][:_TO_COME],
            rests=rests,
            renewal_open=card.is_renewal_open,
            history=history(found.messages, found.reminders, found.events),
            suppressions=[_hushed(row) for row in found.suppressions],
            shown=_shown(found.card, revealed),
            offered={event.value for event in card_forms.offered(card)},
            may_act=may(Role.OPERATOR, card.book_id),
            may_recycle=may(Role.ADMIN, card.book_id),
            wrong={k: self._shell.say(visit, text) for k, text in (wrong or {}).items()},
            given={name: visit.field(name) for name in ("plan_end", "last_topup", "balance")},
            next_end=_next_end(card.plan_end, card.plan_days, local_day(visit.now, card.time_zone)),
            done=done if done in _known() else "",
            **own,
        )

    def _recycling(self, visit: Visit, digits: str) -> Response:
        found, own = self._found(visit, Role.ADMIN)
        operator = self._shell.app.rules.pack(found.card["operator"]).name
        values = {"card": found.card, "operator": operator, "digits": digits, **own}
        return self._shell.page(visit, "recycle", **values)


def _known() -> set[str]:
    return {event.value for event in LifeEvent}


def _shown(card: Mapping[str, Any], revealed: str) -> dict[str, str | None]:
    """Numbers and addresses as far as they are needed to be told from others; one may be whole."""
    shown = {}
    for name, column in _HIDDEN.items():
        value = card[column]
        short = f"…{value[-4:]}" if value and name != "email" else masked_address(value or "")
        shown[name] = None if not value else value if name == revealed else short
    return shown


def _hushed(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "address": masked_address(row["address"])}


def _next_end(end: date | None, days: int | None, today: date) -> str:
    """What the new end of a plan probably is, where its length is known."""
    if end is None or not days:
        return ""
    return (max(end, today) + timedelta(days=days)).isoformat()
