"""What holders are sent, from their rows to the mailbox: the real line is played once, and the
tests of the texts read what arrived. A letter made by hand says what its maker thinks that the
program knows: a receipt that no row ever brought into a text stood in every such letter."""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from html import unescape
from typing import Any

from tests.html_reading import words
from tests.integration.helpers import World
from tests.integration.sandbox_helpers import call, mailbox
from tests.integration.stories import SITE
from tests.integration.texts_rows import (
    AMERICA,
    ASIA,
    BALANCE,
    LATER,
    RECEIPT,
    RENEWED_TO,
    Book,
    Case,
    cases,
    keepers,
)
from worker.clock import set_file_clock
from worker.core.cards import CARD_TIME_ZONE, CardState, Channel, Kind, Language
from worker.core.life import Happening, LifeEvent
from worker.core.rules import Rules
from worker.paths import read_toml, shipped
from worker.pipeline.events import Life
from worker.processes.once import run_once
from worker.setup.load_rules import load_rules
from worker.setup.policy_file import PolicyFile
from worker.setup.route_file import RouteFile
from worker.store import books, suppressions
from worker.store.engine import writing
from worker.tables import read

RUNS = ((ASIA, True), (AMERICA, True), (LATER, False))
# Windows that no shipped policy has, but which a keeper can write.
_FURTHER = {
    "outgoing_block+1d": "sms, email",
    "balance_loss+1d": "sms, email",
    "reassignment-15d": "sms, email",
    "reassignment+1d": "sms, email",
}
_OWN_ROUTE = {"prefix": "+5190", "languages": [str(language) for language in Language]}


def rules() -> Rules:
    """Those that are shipped, of a keeper who wants every notice on both channels, and a few
    more."""
    folder = shipped("config")
    policies = read_toml(folder / "policies.toml")
    for kind in Kind:
        windows = {**policies[kind], **_FURTHER}
        if kind is Kind.ESIM:
            windows["plan_end-30d"] = "email"
        policies[kind] = {name: _both(value) for name, value in windows.items()}
    policies["events"] = {name: _both(value) for name, value in policies["events"].items()}
    routes = read_toml(folder / "routes.toml")
    routes["route"].append(_OWN_ROUTE)
    (found, wrong), (ways, more) = read(PolicyFile, policies), read(RouteFile, routes)
    assert not [*wrong, *more]
    assert found
    assert ways
    return replace(found.into(load_rules(folder)), routes=ways.routes())


def _both(channels: str) -> str:
    return "sms, email" if channels in ("sms", "email") else channels


def play(world: World) -> dict[str, Any]:
    """Everything that arrives of all ``cases`` and of the books of ``texts_keepers``."""
    assert world.clock is not None
    call(world.sandbox, "POST", "/sandbox/webhooks", json.dumps({"drop_rate": 1}))
    for now, site in RUNS:
        _write(world, [case for case in cases() if (case.at, case.site) == (now, site)], now)
        if now == AMERICA:
            for book in keepers():
                _write_book(world, book, now)
        set_file_clock(world.clock, now)
        web = {"web": {"public_url": SITE}} if site else {}
        # Nobody asks what became of a text: that is not what these tests are about.
        quiet = {"fetch_after_seconds": 0, "inbound_seconds": 0}
        app = world.app(lambda: now, receipts=quiet, **web)  # noqa: B023 - called in this step
        asyncio.run(run_once(app, now))
    found: dict[str, Any] = mailbox(world.sandbox)
    return found


def _write(world: World, some: Sequence[Case], now: datetime) -> None:
    wanted = {"signature": "Vigencia", "language": "es-PE", "time_zone": CARD_TIME_ZONE}
    with writing(world.engine) as conn:
        book = int(books.ensure(conn, "texts", wanted, now).id)
        holders = books.add_holders(conn, [_holder(case, book, now) for case in some])
        rows = [
            card_row(card, book, holder, now)
            for case, holder in zip(some, holders, strict=True)
            for card in (*case.cards, *case.extra)
        ]
        ids = iter(books.add_cards(conn, rows))
    life = Life(world.engine, world.rules)
    for case in some:
        own = [next(ids) for _ in (*case.cards, *case.extra)]
        for what, at in _happenings(case, now):
            life.record(own[0], what, at)


def _write_book(world: World, kept: Book, now: datetime) -> None:
    wanted = {
        "signature": "Vigencia",
        "language": kept.language,
        "time_zone": CARD_TIME_ZONE,
        "guardian_email": kept.address,
    }
    with writing(world.engine) as conn:
        book = int(books.ensure(conn, kept.name, wanted, now).id)
        for (phone, email), one in zip(_contacts(kept), kept.cards, strict=True):
            known = one.why != "no_address"
            person = {
                "book_id": book,
                "name": one.holder,
                "language": kept.language,
                "time_zone": CARD_TIME_ZONE,
                "contact_phone": phone if known else None,
                "email": email if known else None,
                "created_at": now,
                "updated_at": now,
            }
            [holder] = books.add_holders(conn, [person])
            # A card out of service is no address of its holder.
            state = CardState.ACTIVE if known else CardState.SUSPENDED
            books.add_cards(conn, [{**card_row(one.card, book, holder, now), "state": state}])
            if one.why == "suppressed":
                suppressions.add(conn, Channel.SMS, {phone: "optout"}, now)
                suppressions.add(conn, Channel.EMAIL, {email: "optout"}, now)


def _holder(case: Case, book: int, now: datetime) -> dict[str, Any]:
    return {
        "book_id": book,
        "name": case.name,
        "language": case.language,
        "time_zone": case.place.zone,
        "contact_phone": case.phone,
        "email": case.address if case.has_email else None,
        "created_at": now,
        "updated_at": now,
    }


def card_row(card: Mapping[str, Any], book: int, holder: int, now: datetime) -> dict[str, Any]:
    return {
        "book_id": book,
        "holder_id": holder,
        "imsi": None,
        "state": CardState.ACTIVE,
        "time_zone": CARD_TIME_ZONE,
        "note": None,
        "watched_since": now,
        "check_asked_at": now,
        "created_at": now,
        "updated_at": now,
        **card,
    }


def _happenings(case: Case, now: datetime) -> Iterator[tuple[Happening, datetime]]:
    """What is entered of the card so that ``case.event`` is told."""
    if not case.is_life:
        return
    if case.event.startswith("renewal_"):
        end = RENEWED_TO if case.cards[0]["plan_end"] else None
        renewed = Happening(
            LifeEvent.RENEWED, plan_end=end, receipt_ref=None if case.is_bare else RECEIPT
        )
        asked = case.event == "renewal_not_effective"
        yield renewed, now - timedelta(hours=25) if asked else now
        if case.event != "renewal_recorded":
            yield Happening(LifeEvent(case.event)), now
        return
    balance = BALANCE if case.event == "low_balance" and not case.is_bare else None
    yield Happening(LifeEvent(case.event), balance=balance), now


@dataclass(frozen=True)
class Mail:
    """An email as it arrived."""

    received: Mapping[str, Any]

    @property
    def subject(self) -> str:
        return str(self.received["subject"])

    @property
    def text(self) -> str:
        return str(self.received["text"])

    @property
    def html(self) -> str:
        return str(self.received["html"])

    @cached_property
    def words(self) -> str:
        """The HTML as it is read."""
        return words(self.html)

    @cached_property
    def links(self) -> list[str]:
        """Whatever a client would load or follow; harmful HTML is for a parser, not for this."""
        found = re.findall(r'\s(?:href|src|srcset|background|action|data)="([^"]*)"', self.html)
        return [unescape(link) for link in found]

    @cached_property
    def tags(self) -> set[str]:
        return set(re.findall(r"<(\w+)", self.html))

    @property
    def both(self) -> tuple[str, str]:
        """What is read of it, as plain text and as HTML."""
        return self.text, self.words


@dataclass(frozen=True)
class Told:
    """What arrived of one case."""

    case: Case
    every_sms: tuple[str, ...]
    emails: tuple[Mail, ...]

    @property
    def sms(self) -> tuple[str, ...]:
        """Those that speak of the case's own event."""
        return tuple(t for t in self.every_sms if any(tail in t for tail in self.case.tails))

    def __str__(self) -> str:
        return f"{self.case}: {self.every_sms}"


class Texts:
    """The mailbox after the play, by whom it was for."""

    def __init__(self, box: Mapping[str, Any]) -> None:
        self.box = box
        self.told = tuple(
            Told(case, tuple(self._sms(case.phone)), tuple(self._emails(case.address)))
            for case in cases()
        )
        self.kept = tuple((book, tuple(self._emails(book.address))) for book in keepers())

    def of(self, *events: str, language: Language, **wanted: Any) -> Iterator[Told]:
        """Those of ``events`` (default: all) in ``language``, and of the ``kind``, if told."""
        for one in self.told:
            case = one.case
            if case.language is language and _fits(case, events, wanted):
                yield one

    def sms(self, *events: str, language: Language, **wanted: Any) -> Iterator[tuple[Case, str]]:
        """Each SMS of the cases' own events that is written in ``language``."""
        for one in self.told:
            case = one.case
            if case.sms_language is language and _fits(case, events, wanted):
                yield from ((case, text) for text in one.sms)

    def emails(
        self, *events: str, language: Language, **wanted: Any
    ) -> Iterator[tuple[Case, Mail]]:
        """Each email in ``language``."""
        for one in self.of(*events, language=language, **wanted):
            yield from ((one.case, mail) for mail in one.emails)

    def _sms(self, number: str) -> Iterator[str]:
        return (str(one["body"]) for one in self.box["sms"].get(number, ()))

    def _emails(self, address: str) -> Iterator[Mail]:
        return (Mail(one) for one in self.box["email"].get(address, ()))


def _fits(case: Case, events: Sequence[str], wanted: Mapping[str, Any]) -> bool:
    own = all(getattr(case, name) == value for name, value in wanted.items())
    return own and (not events or case.event in events)


def own_addresses(channel: str) -> set[str]:
    """Everybody who has a row."""
    if channel == "sms":
        own = {case.phone for case in cases()}
        return own | {phone for book in keepers() for phone, _ in _contacts(book)}
    own = {case.address for case in cases() if case.has_email}
    own |= {book.address for book in keepers()}
    return own | {email for book in keepers() for _, email in _contacts(book)}


def _contacts(book: Book) -> list[tuple[str, str]]:
    """Where each holder of a keeper's book would be reached."""
    return [
        (f"+5192{book.number:03}{number:04}", f"holder{book.number}-{number}@example.com")
        for number, _ in enumerate(book.cards)
    ]
