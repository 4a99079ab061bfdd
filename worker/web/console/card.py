"""One card: what has this person been told, what comes next, and what may the keeper say?"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.responses import Response

from worker.core.cards import CardState
from worker.core.hours import local_day
from worker.core.masking import masked_address
from worker.core.tokens import without_tokens
from worker.core.viewer import Role
from worker.store import cards as card_store
from worker.store import undo as undo_store
from worker.store.console import card as reads
from worker.store.console import messages as message_reads
from worker.store.console.card import CardPage
from worker.web.console import card_forms
from worker.web.console.history import history
from worker.web.console.ladder import line
from worker.web.console.shell import ConsolePage, Shell
from worker.web.console.undo_offer import offer
from worker.web.console.visit import Visit
from worker.web.console.vocabulary import WORDS

_TO_COME: Final = 12
# What may be revealed, each with the column that holds it.
HIDDEN: Final = {"phone": "contact_phone", "email": "email", "number": "msisdn", "iccid": "iccid"}


def pages(shell: Shell) -> list[ConsolePage]:
    """The addresses."""
    return [ConsolePage("GET", "/cards/{card_id:int}", CardView(shell).look)]


class CardView:
    """The page of a card."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def look(self, visit: Visit) -> Response:
        """The page."""
        done = visit.query.get("done", "")
        return self.page(visit, done=done if done in WORDS["event"] else "")

    def found(self, visit: Visit, role: Role = Role.VIEWER) -> tuple[CardPage, dict[str, Any]]:
        """The card and what was last written of it; 404 unless it is in a book of whoever asks,
        403 where he may only look."""
        with self._shell.reading() as conn:
            found = reads.show(conn, visit.viewer, visit.ids["card_id"])
            if found is None:
                raise HTTPException(404)
            if not visit.viewer.may(role, found.card["book_id"]):
                raise HTTPException(403)
            recorded = undo_store.last(conn, visit.ids["card_id"])
            return found, {
                "texts": self._texts(conn, visit, found),
                "last_event": card_store.last_event(conn, visit.ids["card_id"]),
                "undo": offer(recorded, found.reminders, visit.now),
            }

    def page(
        self,
        visit: Visit,
        *,
        status: int = 200,
        done: str = "",
        refused: str = "",
        wrong: Mapping[str, str] | None = None,
        revealed: str = "",
    ) -> Response:
        """The page after something was ``done``, ``refused`` or ``wrong`` (both marked texts)."""
        found, own = self.found(visit)
        card, holder = found.watched.card, found.watched.holder
        rules, may = self._shell.app.rules, visit.viewer.may
        spans = [s for s in rules.spans(card, holder) if not s.window.closes]
        rests = card.paused or card.renewed_at is not None or card.state is not CardState.ACTIVE
        return self._shell.page(
            visit,
            "card",
            status,
            card=found.card,
            operator=rules.pack(card.operator).name,
            line=line(rules.ladder(card), spans, found.reminders, visit.now),
            card_day=local_day(visit.now, card.time_zone),
            to_come=[s for s in spans if s.at > visit.now][:_TO_COME],
            rests=rests,
            renewal_open=card.is_renewal_open,
            history=history(found.messages, found.reminders, found.events),
            suppressions=[_hushed(row) for row in found.suppressions],
            silenced={row["channel"] for row in found.suppressions if not row["lifted_at"]},
            shown=_shown(found.card, revealed),
            offered={event.value for event in card_forms.offered(card)},
            may_act=may(Role.OPERATOR, card.book_id),
            may_recycle=may(Role.ADMIN, card.book_id),
            wrong={k: self._shell.say(visit, text) for k, text in (wrong or {}).items()},
            refused=self._shell.say(visit, refused) if refused else "",
            given={name: visit.field(name) for name in ("plan_end", "last_topup", "balance")},
            next_end=_next_end(card.plan_end, card.plan_days, local_day(visit.now, card.time_zone)),
            done=done,
            **own,
        )

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


def _shown(card: Mapping[str, Any], revealed: str) -> dict[str, str | None]:
    """Numbers and addresses as far as they are needed to be told from others; one may be whole."""
    shown = {}
    for name, column in HIDDEN.items():
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
