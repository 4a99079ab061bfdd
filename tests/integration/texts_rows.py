"""The rows from which the tests of the texts start: who reads, with which cards, where."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from itertools import count, product
from typing import Any
from zoneinfo import ZoneInfo

from worker.content.events import TRAVEL_EVENTS
from worker.core.cards import Kind, Language
from worker.core.deadlines import DeadlineKind
from worker.core.naming import NAMED
from worker.core.wording import DEADLINE_EVENTS, LIFE_EVENTS, kind_of

LIMA = ZoneInfo("America/Lima")
TODAY = date(2026, 6, 12)
# 10:00 in Shanghai, 09:30 in Lima and 16:30 in Madrid; and a quarter of an hour later, when the
# digests for guardians have gathered.
ASIA = datetime(2026, 6, 12, 2, tzinfo=UTC)
AMERICA = datetime(2026, 6, 12, 14, 30, tzinfo=UTC)
LATER = AMERICA + timedelta(minutes=15)
HOLDER_EVENTS = (*DEADLINE_EVENTS, *LIFE_EVENTS)
RECEIPT, BALANCE = "R-20260612", Decimal("2.00")
RENEWED_TO = TODAY + timedelta(days=50)

NAMES = {
    Language.ZH_HANS: "王小明",
    Language.ZH_HANT: "陳怡君",
    Language.ES_PE: "Rosa Quispe",
    Language.EN: "Alex Smith",
}
OPERATORS = {
    "claro": "Claro",
    "movistar": "Movistar",
    "entel": "Entel",
    "bitel": "Bitel",
    "other": "eSIM",
}
# Days since the last top-up, as config/operators has them: each is a fact with its source there.
BLOCK_DAYS = {"claro": 60, "bitel": 90}
BALANCE_DAYS = {"claro": 210}
LINE_DAYS = {"claro": 270, "movistar": 210, "entel": 60, "bitel": 240}
REASSIGNED_AFTER = 90

# How many days are left of the deadline, where nothing else is said.
LEFT = {
    "plan_end_far": 25,
    "plan_end_near": 5,
    "plan_end_tomorrow": 1,
    "plan_end_today": 0,
    "plan_ended": -3,
    "line_loss_far": 20,
    "line_loss_near": 10,
    "line_loss_tomorrow": 1,
    "line_lost": -2,
    "outgoing_block_near": 2,
    "outgoing_block_past": -2,
    "balance_loss_near": 5,
    "balance_loss_past": -2,
    "reassignment_near": 10,
    "reassignment_past": -2,
}
AT_ANY_MOMENT = (
    "line_loss_tomorrow",
    "outgoing_block_near",
    "balance_loss_near",
    "reassignment_near",
)
_LOST = ("line_lost", "outgoing_block_past", "balance_loss_past", "reassignment_past")


@dataclass(frozen=True)
class Place:
    """Where somebody reads, with a number from there; ``hears``: an answer to an SMS arrives."""

    zone: str
    prefix: str
    digits: int
    at: datetime = AMERICA
    hears: bool = False

    @property
    def abroad(self) -> bool:
        return self.zone != "America/Lima"


PERU = Place("America/Lima", "+5198", 7)
# Of a keeper whose own route to these numbers carries every language, and answers.
PERU_HEARD = Place("America/Lima", "+5190", 7, hears=True)
SHANGHAI = Place("Asia/Shanghai", "+86138", 8, ASIA)
MADRID = Place("Europe/Madrid", "+346", 8, hears=True)
TAIPEI = Place("Asia/Taipei", "+8869", 8, ASIA, hears=True)


@dataclass(frozen=True)
class Case:
    """One holder with cards of which ``event`` is told; ``left`` days before its deadline, of which
    the first card's row is the source. ``extra`` cards are told of with another event."""

    kind: str
    event: str
    language: Language
    place: Place
    cards: tuple[Mapping[str, Any], ...]
    extra: tuple[Mapping[str, Any], ...] = ()
    site: bool = True
    has_email: bool = True
    number: int = 0

    @property
    def at(self) -> datetime:
        """When its cards are looked at; where there is no site, after all the others."""
        return self.place.at if self.site else LATER

    @property
    def phone(self) -> str:
        return f"{self.place.prefix}{self.number:0{self.place.digits}}"

    @property
    def address(self) -> str:
        return f"reader{self.number}@example.com"

    @property
    def name(self) -> str:
        return NAMES[self.language]

    @property
    def operator(self) -> str:
        return OPERATORS[self.cards[0]["operator"]]

    @property
    def tails(self) -> tuple[str, ...]:
        return tuple(tail(card) for card in self.cards)

    @property
    def is_life(self) -> bool:
        return self.event in LIFE_EVENTS

    @property
    def is_travel(self) -> bool:
        return bool(self.cards[0]["operator"] == "other")

    @property
    def is_bare(self) -> bool:
        """Is nothing known but what the event cannot do without?"""
        return self.kind == "bare"

    @property
    def sms_language(self) -> Language:
        """Chinese may not arrive in Peru, by the routes that are shipped."""
        spanish = self.place is PERU and self.language.startswith("zh")
        return Language.ES_PE if spanish else self.language

    @property
    def minute(self) -> datetime:
        """The plan's last minute, or the first in which something can be lost, on the reader's
        clock, by the row of the first card."""
        return first_minute(self.event, self.cards[0]).astimezone(ZoneInfo(self.place.zone))

    @property
    def day(self) -> date:
        """The reader's day of the deadline, or of the event."""
        return TODAY if self.is_life else self.minute.date()

    @property
    def left(self) -> int:
        return (self.day - TODAY).days

    @property
    def has_begun(self) -> bool:
        """Can the loss have happened, and not for certain? Nobody knows an operator's hour."""
        return self.event in AT_ANY_MOMENT and self.minute <= self.at

    @property
    def clock(self) -> str | None:
        """The reader's hour of it, where it is not the turn of the day."""
        return f"{self.minute:%H:%M}" if self.place.abroad and not self.is_life else None

    @property
    def ends(self) -> date | None:
        """The plan's last day on the reader's calendar, as the row has it after the event."""
        card = self.cards[0]
        renewed = self.event in ("renewal_recorded", "renewal_not_effective")
        end = RENEWED_TO if renewed and card["plan_end"] else card["plan_end"]
        if end is None:
            return None
        return last_minute(end).astimezone(ZoneInfo(self.place.zone)).date()

    def __str__(self) -> str:
        return f"{self.kind} {self.event} {self.language} {self.place.zone} {self.left}"


def tail(card: Mapping[str, Any]) -> str:
    return str(card["msisdn"] or card["iccid"])[-4:]


def last_minute(day: date) -> datetime:
    """23:59 in Lima, where operators count."""
    return datetime.combine(day, time(23, 59), LIMA)


def first_minute(event: str, card: Mapping[str, Any]) -> datetime:
    """The minute from which ``event`` counts, by the dates of the row and the operator's days."""
    kind, operator = kind_of(event), card["operator"]
    if kind is DeadlineKind.PLAN_END:
        return last_minute(card["plan_end"])
    return datetime.combine(card["last_topup"] + _days(kind, operator), time(), LIMA)


def _days(kind: DeadlineKind, operator: str) -> timedelta:
    if kind is DeadlineKind.OUTGOING_BLOCK:
        return timedelta(days=BLOCK_DAYS[operator])
    if kind is DeadlineKind.BALANCE_LOSS:
        return timedelta(days=BALANCE_DAYS[operator])
    more = REASSIGNED_AFTER if kind is DeadlineKind.REASSIGNMENT else 0
    return timedelta(days=LINE_DAYS[operator] + more)


# A kind of card whose policy has a window on the event's usual day.
_KINDS: dict[str, tuple[Kind, ...]] = {
    "plan_end_far": (Kind.DATA, Kind.RETENTION),
    "plan_end_near": (Kind.DATA, Kind.FOUR_G, Kind.RETENTION),
    "plan_end_tomorrow": (Kind.DATA, Kind.FOUR_G, Kind.RETENTION),
    "line_loss_far": (Kind.RETENTION,),
    "line_loss_near": (Kind.RETENTION, Kind.DATA),
    "line_loss_tomorrow": (Kind.RETENTION,),
    "line_lost": (Kind.RETENTION,),
    "balance_loss_past": (Kind.DATA,),
    "reassignment_near": (Kind.DATA,),
    "reassignment_past": (Kind.DATA,),
    "suspended": (Kind.DATA,),
}
_ANY = (Kind.DATA, Kind.FOUR_G)
_EMPTY = {"plan": None, "plan_days": None, "plan_end": None, "last_topup": None, "balance": None}


def _card(event: str, place: Place, turn: int, left: int | None = None) -> dict[str, Any]:
    """A card of which ``event`` is told ``left`` days before; ``turn`` picks operator and kind."""
    kinds = _KINDS.get(event, _ANY)
    kind = kinds[turn % len(kinds)]
    if event in LIFE_EVENTS:
        end = TODAY - timedelta(days=12) if event == "suspended" else TODAY + timedelta(days=20)
        return {**_plan(end, 30), "kind": kind, "operator": sorted(LINE_DAYS)[turn % 4]}
    on = TODAY + timedelta(days=LEFT[event] if left is None else left)
    deadline = kind_of(event)
    if deadline is DeadlineKind.PLAN_END:
        # 23:59 in Lima is the next day everywhere else that is read here.
        end = on - timedelta(days=1) if place.abroad else on
        known = sorted(LINE_DAYS.keys() - ({"entel"} if kind is Kind.RETENTION else set()))
        operator = known[turn % len(known)]
        length = 90 if event == "plan_end_far" else 30
        return {**_plan(end, length), "kind": kind, "operator": operator}
    table = {DeadlineKind.OUTGOING_BLOCK: BLOCK_DAYS, DeadlineKind.BALANCE_LOSS: BALANCE_DAYS}
    known = sorted(table.get(deadline, LINE_DAYS))
    operator = known[turn % len(known)]
    balance = BALANCE if deadline is DeadlineKind.BALANCE_LOSS else None
    topup = on - _days(deadline, operator)
    dates = {**_EMPTY, "last_topup": topup, "balance": balance}
    return {**dates, "kind": kind, "operator": operator}


def _plan(end: date, days: int) -> dict[str, Any]:
    return {**_EMPTY, "plan": f"Plan {days}", "plan_days": days, "plan_end": end}


def _bare(event: str, card: Mapping[str, Any]) -> dict[str, Any]:
    """The same without all that may be unknown."""
    if event in LIFE_EVENTS:
        return {**card, **_EMPTY}
    return {**card, "plan": None, "plan_days": None}


def _travel(event: str, place: Place) -> dict[str, Any]:
    """An eSIM of a provider abroad: no Peruvian number, and nothing known but its plan."""
    end, length = _card(event, place, 0)["plan_end"], 30 if event in LIFE_EVENTS else 90
    dates = {**_plan(end, length), "plan": "Europa"}
    return {**dates, "kind": Kind.ESIM, "operator": "other"}


def _further(event: str, place: Place, operator: str) -> dict[str, Any]:
    """A card of another operator that is told in the same email, after the others."""
    other = "movistar" if operator == "claro" else "claro"
    left = LEFT["plan_ended"] if event == "plan_ended" else 29
    end = TODAY + timedelta(days=left - place.abroad)
    length = 30 if event == "plan_ended" else 90
    return {**_plan(end, length), "kind": Kind.DATA, "operator": other, "plan": "Control"}


def _abroad_heard(event: str) -> Place:
    """Madrid; but a plan never ends on a reader's today there: its last minute is 06:59."""
    return TAIPEI if event == "plan_end_today" else MADRID


def _all() -> Iterator[Case]:
    for turn, (event, language) in enumerate(product(HOLDER_EVENTS, Language)):
        yield from _of(event, language, turn + turn // 4)
    for language in Language:
        for kind in Kind:
            card = {**_plan(TODAY + timedelta(days=1), 30), "kind": kind, "operator": "claro"}
            yield Case("kinds", "plan_end_tomorrow", language, PERU_HEARD, (card,), has_email=False)


def _of(event: str, language: Language, turn: int) -> Iterator[Case]:
    def card(place: Place, left: int | None = None) -> dict[str, Any]:
        return _card(event, place, turn, left)

    def case(kind: str, place: Place, *cards: dict[str, Any], **more: Any) -> Case:
        return Case(kind, event, language, place, cards, **more)

    heard, latin = _abroad_heard(event), not language.startswith("zh")
    life, every_other = event in LIFE_EVENTS, turn % 2 == 0
    yield case("known", PERU, card(PERU))
    yield case("known", SHANGHAI, card(SHANGHAI))
    yield case("heard", PERU_HEARD, card(PERU_HEARD), has_email=False)
    bare = _bare(event, card(heard))
    yield case("bare", heard, bare, site=heard is TAIPEI, has_email=life or every_other)
    if latin:
        yield case("mute", PERU, card(PERU), site=False, has_email=False)
    if event in TRAVEL_EVENTS:
        yield case("travel", heard, _travel(event, heard))
        if latin and not life:
            yield case("travel", SHANGHAI, *[_travel(event, SHANGHAI)] * 2, has_email=False)
    # Each event in two of the languages: their longest are measured by the unit tests.
    if not life and every_other:
        same = [card(PERU_HEARD)] * (2 + turn % 3)
        further = _further(event, PERU_HEARD, same[0]["operator"])
        yield case("several", PERU_HEARD, *same, extra=(further,))
    elif not life:
        most = NAMED + 2 if event == "plan_end_near" else NAMED
        yield case("many", SHANGHAI, *[card(SHANGHAI)] * most, has_email=False)
    for left in (2, 6, 7) if event == "plan_end_near" else ():
        yield case("days", PERU_HEARD, card(PERU_HEARD, left), has_email=False)
    if event in AT_ANY_MOMENT:
        yield case("days", PERU_HEARD, card(PERU_HEARD, 0), has_email=False)
        yield case("days", SHANGHAI, card(SHANGHAI, 0), has_email=every_other)
        yield case("days", SHANGHAI, card(SHANGHAI, -1), has_email=not every_other)
    if event in _LOST:
        yield case("days", PERU_HEARD, card(PERU_HEARD, -1))


@dataclass(frozen=True)
class Untold:
    """A card of whose deadline its holder may not know, and ``why``."""

    holder: str
    event: str
    card: Mapping[str, Any]
    why: str

    @property
    def day(self) -> date:
        return first_minute(self.event, self.card).date()


@dataclass(frozen=True)
class Book:
    """A card book in Lima whose keeper is told of ``cards``."""

    number: int
    language: Language
    cards: tuple[Untold, ...]

    @property
    def address(self) -> str:
        return f"keeper{self.number}@example.com"

    @property
    def name(self) -> str:
        return f"Libro {self.number}"


@cache
def keepers() -> tuple[Book, ...]:
    """For each language a book with one such card, and one with a card for each reason that a
    row can show."""
    serial = count(9001)

    def untold(event: str, why: str, turn: int) -> Untold:
        holder = f"Holder {next(serial)}"
        return Untold(holder, event, _numbered(_card(event, PERU, turn), next(serial)), why)

    found = []
    for turn, language in enumerate(Language):
        alone = (untold("line_loss_tomorrow", "suppressed", turn),)
        several = (
            untold("line_loss_tomorrow", "suppressed", turn),
            untold("plan_end_tomorrow", "no_address", turn),
            untold("line_loss_tomorrow", "last_day", turn + 1),
        )
        found += [Book(2 * turn, language, alone), Book(2 * turn + 1, language, several)]
    return tuple(found)


@cache
def cases() -> tuple[Case, ...]:
    """All of them; each holder has a number and an address of their own, and so has each card."""
    serial = count(3001)
    found = []
    for number, case in enumerate(_all(), 1):
        cards, extra = (
            tuple(_numbered(card, next(serial)) for card in some)
            for some in (case.cards, case.extra)
        )
        found.append(replace(case, cards=cards, extra=extra, number=number))
    return tuple(found)


def _numbered(card: Mapping[str, Any], serial: int) -> dict[str, Any]:
    own = None if card["operator"] == "other" else f"+5197{serial:07}"
    return {**card, "msisdn": own, "iccid": f"8951{serial:015}"}
