"""What a keeper does to a card: each act in one transaction with the note of who did it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.responses import Response

from worker.core.actor import Actor, Source
from worker.core.cards import Channel
from worker.core.hours import local_day
from worker.core.life import Happening, LifeEvent
from worker.core.masking import last_four
from worker.core.reminders import UNDONE
from worker.core.viewer import Role
from worker.errors import VigenciaError
from worker.pipeline.events import Check
from worker.pipeline.telling_again import AgainError
from worker.pipeline.undoing import UndoError
from worker.store import audit
from worker.store import cards as card_store
from worker.store.cards import Watched
from worker.store.engine import writing
from worker.web.console import card_forms, new_holder
from worker.web.console.card import HIDDEN, CardView
from worker.web.console.catalogs import marked as _
from worker.web.console.failures import failure
from worker.web.console.shell import ConsolePage, Shell
from worker.web.console.visit import Visit

_DATED: Final = ("plan_end", "last_topup", "balance")
_TOO_LATE: Final = _("It can no longer be undone. Record what is true now.")
_NOT_AGAIN: Final = _(
    "It is not told again: no address takes it, a message about it still waits or may have been "
    "sent, or it was told again three times today."
)


def pages(shell: Shell) -> list[ConsolePage]:
    """The addresses."""
    own = CardActs(shell)
    return [
        ConsolePage("POST", "/cards/{card_id:int}/events", own.say),
        ConsolePage("POST", "/cards/{card_id:int}/undo", own.undo),
        ConsolePage("POST", "/cards/{card_id:int}/again", own.tell_again),
        ConsolePage("POST", "/cards/{card_id:int}/silence", own.silence),
        ConsolePage("POST", "/cards/{card_id:int}/allow", own.allow),
        ConsolePage("POST", "/cards/{card_id:int}/reveal", own.reveal),
        ConsolePage("GET", "/cards/{card_id:int}/recycle", own.ask_recycle, confirmed=True),
        ConsolePage("POST", "/cards/{card_id:int}/recycle", own.recycle, confirmed=True),
        ConsolePage("GET", "/cards/{card_id:int}/reassign", own.ask_reassign, confirmed=True),
        ConsolePage("POST", "/cards/{card_id:int}/reassign", own.reassign, confirmed=True),
    ]


class _DoneBeforeError(Exception):
    """The same form has done it already."""


class CardActs:
    """Answers for them."""

    def __init__(self, shell: Shell) -> None:
        self._shell, self._view = shell, CardView(shell)

    def say(self, visit: Visit) -> Response:
        """Something happened to the card: it is written with who said so, or not at all."""
        found, _own = self._view.found(visit, Role.OPERATOR)
        card = found.watched.card
        given = card_forms.filled(visit, card, local_day(visit.now, card.time_zone))
        if given.what is None:
            return self._view.page(visit, wrong=given.wrong)
        return self._record(visit, given.what, Role.OPERATOR)

    def undo(self, visit: Visit) -> Response:
        """What was recorded last was a mistake, and nobody was told of it yet."""
        self._view.found(visit, Role.OPERATOR)
        card, undoing = visit.ids["card_id"], self._shell.app.undoing

        def undo(check: Check) -> None:
            undoing.undo(card, visit.now, by=_keeper(visit), check=check)

        try:
            return self._act(visit, undo, UNDONE, UNDONE, Role.OPERATOR)
        except UndoError:
            return self._view.page(visit, status=409, refused=_TOO_LATE)

    def tell_again(self, visit: Visit) -> Response:
        """Have the holder told once more of the deadline that was told last."""
        self._view.found(visit, Role.OPERATOR)
        card, telling = visit.ids["card_id"], self._shell.app.telling_again

        def tell(check: Check) -> None:
            telling.card(card, visit.now, by=_keeper(visit), check=check)

        try:
            return self._act(visit, tell, "told_again", "told_again", Role.OPERATOR)
        except AgainError:
            return self._view.page(visit, status=409, refused=_NOT_AGAIN)

    def silence(self, visit: Visit) -> Response:
        """Write nothing more about this card by one way."""
        return self._consent(visit, self._shell.app.consent.silence_card, "opted_out")

    def allow(self, visit: Visit) -> Response:
        """Write about this card that way again."""
        return self._consent(visit, self._shell.app.consent.allow_card, "opted_in")

    def _consent(self, visit: Visit, do: Callable[..., bool], done: str) -> Response:
        self._view.found(visit, Role.OPERATOR)
        channel = visit.field("channel")
        if channel not in (Channel.SMS, Channel.EMAIL):
            raise HTTPException(404)

        def act(check: Check) -> None:
            do(visit.ids["card_id"], Channel(channel), visit.now, check=check)

        return self._act(visit, act, done, done, Role.OPERATOR)

    def ask_recycle(self, visit: Visit) -> Response:
        """The one act that nobody can undo: it asks for the number's last digits."""
        return self._recycling(visit, "")

    def recycle(self, visit: Visit) -> Response:
        """The number was taken back: it is never written to again."""
        found, _own = self._view.found(visit, Role.ADMIN)
        if visit.field("digits") != last_four(found.card["msisdn"], found.card["iccid"]):
            return self._recycling(visit, visit.field("digits"))
        return self._record(visit, Happening(LifeEvent.RECYCLED), Role.ADMIN)

    def ask_reassign(self, visit: Visit) -> Response:
        """Who has the card now?"""
        return self._reassigning(visit, {})

    def reassign(self, visit: Visit) -> Response:
        """The card belongs to somebody else: what waits for the former holder ends."""
        self._view.found(visit, Role.ADMIN)
        person, wrong = new_holder.filled(visit)
        if person is None:
            return self._reassigning(visit, wrong)

        def reassign(check: Check) -> None:
            app, card = self._shell.app, visit.ids["card_id"]
            app.life.reassign(card, person, visit.now, by=_keeper(visit), check=check)

        event = LifeEvent.REASSIGNED.value
        fields = [field for field in new_holder.FIELDS if visit.field(field)]
        return self._act(visit, reassign, event, event, Role.ADMIN, fields)

    def reveal(self, visit: Visit) -> Response:
        """Show one number or address whole, and note who looked."""
        name = visit.field("field")
        found, _own = self._view.found(visit, Role.OPERATOR)
        if name not in HIDDEN or not found.card[HIDDEN[name]]:
            raise HTTPException(404)
        # Each look is noted: a form with the number of a former one would show without a trace.
        unnumbered = replace(visit, form={**visit.form, "form_id": ()})
        with writing(self._shell.app.engine) as conn:
            _note(conn, unnumbered, "revealed", found.watched, [name])
        return self._view.page(visit, revealed=name)

    def _record(self, visit: Visit, what: Happening, role: Role) -> Response:
        name, app = what.event.value, self._shell.app

        def record(check: Check) -> None:
            def guard(conn: Connection, watched: Watched) -> bool:
                check(conn, watched)
                return True

            card, now = visit.ids["card_id"], visit.now
            app.life.record_if(guard, card, what, now, by=_keeper(visit), undo_for=app.undo_for)

        fields = [field for field in _DATED if visit.field(field)]
        return self._act(visit, record, name, name, role, fields)

    def _act(
        self,
        visit: Visit,
        do: Callable[[Check], None],
        action: str,
        done: str,
        role: Role,
        fields: Sequence[str] = (),
    ) -> Response:
        """``do`` it once, with the note of it, and look at the card as it is then. The book may
        have become another's, the card another, since the form was made."""
        card_id = visit.ids["card_id"]
        back = f"/cards/{card_id}"

        def check(conn: Connection, watched: Watched) -> None:
            if not visit.viewer.may(role, watched.card.book_id):
                raise HTTPException(404)
            form_id = visit.doer().form_id
            if form_id is not None and audit.done(conn, form_id):
                raise _DoneBeforeError
            if visit.field("last_event") != str(card_store.last_event(conn, card_id)):
                raise HTTPException(409)
            if not _note(conn, visit, action, watched, fields):
                raise _DoneBeforeError

        try:
            do(check)
        except _DoneBeforeError:
            pass
        except HTTPException as error:
            if error.status_code != 409:
                raise
            return failure(self._shell, visit, 409, back)
        except VigenciaError as error:
            if type(error) is not VigenciaError:  # a database that is away, and the like
                raise
            return failure(self._shell, visit, 409, back)
        return visit.go(f"{back}?done={done}")

    def _reassigning(self, visit: Visit, wrong: Mapping[str, str]) -> Response:
        found, own = self._view.found(visit, Role.ADMIN)
        operator = self._shell.app.rules.pack(found.card["operator"]).name
        values = {"card": found.card, "operator": operator, **own}
        return self._shell.page(
            visit,
            "reassign",
            wrong={k: self._shell.say(visit, text) for k, text in wrong.items()},
            given={name: visit.field(name) for name in new_holder.FIELDS},
            languages=new_holder.LANGUAGES,
            **values,
        )

    def _recycling(self, visit: Visit, digits: str) -> Response:
        found, own = self._view.found(visit, Role.ADMIN)
        operator = self._shell.app.rules.pack(found.card["operator"]).name
        values = {"card": found.card, "operator": operator, "digits": digits, **own}
        return self._shell.page(visit, "recycle", **values)


def _keeper(visit: Visit) -> Actor:
    return Actor(Source.KEEPER, visit.own.user.name)


def _note(
    conn: Connection, visit: Visit, action: str, watched: Watched, fields: Sequence[str]
) -> bool:
    card = watched.card
    what = {"subject": "card", "subject_id": card.id, "book_id": card.book_id}
    return audit.write(conn, visit.doer(), action, visit.now, fields=fields, **what)  # type: ignore[arg-type]
