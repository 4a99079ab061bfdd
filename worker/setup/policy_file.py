"""``policies.toml``: when each kind of card is watched, and what is told of it."""

import re
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    ValidationInfo,
    field_validator,
    model_validator,
)

from worker.core.cards import Destination, Kind
from worker.core.deadlines import DeadlineKind
from worker.core.hours import Hours
from worker.core.life import LifeNotice
from worker.core.policy import ANSWER_WITHIN, Policy, Window
from worker.core.rules import Rules
from worker.core.tolerance import Tolerance
from worker.core.wording import EVENTS
from worker.tables import Table, Where, every, located

# The number may be reassigned 90 days after the line is lost (OSIPTEL): nothing is owed later.
_LATEST = 90
_WINDOW = re.compile(r"(?P<deadline>[a-z_]+)(?P<offset>[+-]\d{1,3})d")
_SPAN = re.compile(r"(?P<number>\d{1,3})(?P<unit>[mhd])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_DEFAULT = Tolerance()
_LIKE_NINE = '{value} is not an hour like "09:00"'


def _destinations(value: Any) -> tuple[Destination, ...]:
    names = [part.strip() for part in value.split(",")] if isinstance(value, str) else []
    if not names or not set(names) <= set(Destination) or len(set(names)) < len(names):
        raise ValueError(f'{value!r} is not a list of channels; write "sms, email"')
    return tuple(map(Destination, names))


def _destinations_or_close(value: Any) -> tuple[Destination, ...]:
    return () if value == "close" else _destinations(value)


def _window(name: str) -> Window:
    """The window of this name, its destinations yet to come."""
    match = _WINDOW.fullmatch(name)
    if match is None:
        raise ValueError("not a window; write one like plan_end-7d or line_loss+1d")
    deadline, offset = match["deadline"], int(match["offset"])
    if deadline not in set(DeadlineKind):
        raise ValueError(f"unknown deadline; known are {', '.join(DeadlineKind)}")
    if deadline not in EVENTS:
        raise ValueError(f"no text tells of this deadline; there are {', '.join(EVENTS)}")
    if offset > _LATEST:
        raise ValueError(f"{offset} days after its deadline there is nothing left to say")
    return Window(name, DeadlineKind(deadline), offset, ())


def _in_order(found: dict[Window, tuple[Destination, ...]]) -> tuple[Window, ...]:
    """The windows with their destinations, those of a deadline in order of time."""
    problems: list[tuple[Where, str]] = []
    seen: dict[tuple[DeadlineKind, int], str] = {}
    for window, told in found.items():
        twin = seen.setdefault((window.deadline, window.offset), window.name)
        if twin != window.name:
            problems.append(((window.name,), f"the same day as {twin}"))
        if not told and window.offset <= 0:
            problems.append(((window.name,), "a card is closed after a deadline only"))
    if problems:
        raise located(problems)
    windows = [replace(w, destinations=told, closes=not told) for w, told in found.items()]
    return tuple(sorted(windows, key=lambda w: (w.deadline, w.offset)))


def _hour(value: Any) -> Any:
    with suppress(TypeError, ValueError):
        return datetime.strptime(value, "%H:%M").time()  # noqa: DTZ007 - an hour of any day, anywhere
    return value


def _span(value: Any) -> Any:
    match = _SPAN.fullmatch(value) if isinstance(value, str) else None
    return int(match["number"]) * _UNITS[match["unit"]] if match else value


_Hour = Annotated[time, BeforeValidator(_hour)]
_Span = Annotated[timedelta, BeforeValidator(_span)]
_Destinations = Annotated[tuple[Destination, ...], PlainValidator(_destinations)]
_Windows = Annotated[
    dict[
        Annotated[Window, PlainValidator(_window)],
        Annotated[tuple[Destination, ...], PlainValidator(_destinations_or_close)],
    ],
    Field(
        min_length=1,
        description='no windows; write windows such as "plan_end-7d" = "sms, email" below it',
    ),
    AfterValidator(_in_order),
]


class _Hours(Table):
    open: _Hour = Field(default=time(9), description=_LIKE_NINE)
    close: _Hour = Field(default=time(20), description=_LIKE_NINE)

    @model_validator(mode="after")
    def _open_first(self) -> Self:
        if self.open >= self.close:
            raise ValueError("open must be earlier than close")
        return self


class _Renewal(Table):
    answer_within: _Span = Field(
        default=ANSWER_WITHIN,
        ge=timedelta(hours=30),
        le=timedelta(days=14),
        description="write a time like 72h or 3d, from 30h (the holder is asked after 24) to 14d",
    )


class PolicyFile(Table):
    """The whole file."""

    hours: _Hours = _Hours()
    useful_days: int = Field(
        7, ge=1, le=90, description="{value} is not a whole number of days from 1 to 90"
    )
    renewal: _Renewal = _Renewal()
    events: Annotated[
        dict[Annotated[LifeNotice, Field(strict=False)], _Destinations], every(LifeNotice)
    ] = Field(description='write [events] and below it notices such as suspended = "email"')
    data: _Windows
    retention: _Windows
    four_g: _Windows = Field(alias="4g")
    esim: _Windows
    # After the kinds: single windows of theirs may be named here.
    tolerance: dict[str, Annotated[_Span, Field(gt=timedelta(), le=timedelta(days=7))]] = Field(
        {}, description='write times like 30m, 6h or 1d, up to 7d, such as far = "1d"'
    )

    @field_validator("tolerance")
    @classmethod
    def _of_windows(cls, value: dict[str, timedelta], info: ValidationInfo) -> dict[str, timedelta]:
        kinds = [info.data.get(kind.name.lower()) for kind in Kind]
        known = {"far", "near", "event", *(w.name for each in kinds for w in each or ())}
        if None not in kinds and (strangers := value.keys() - known):
            words = "neither far, near, event nor a window of a policy"
            raise located(((key,), words) for key in sorted(strangers))
        return value

    def policies(self) -> dict[Kind, Policy]:
        """The policy of each kind."""
        hours = Hours(self.hours.open, self.hours.close)
        rest = (hours, self.useful_days, self.renewal.answer_within)
        return {kind: Policy(kind, getattr(self, kind.name.lower()), *rest) for kind in Kind}

    def into(self, rules: Rules) -> Rules:
        """``rules`` with these policies in place of their own."""
        own = dict(self.tolerance)
        far, near, event = (
            own.pop(name, getattr(_DEFAULT, name)) for name in ("far", "near", "event")
        )
        tolerance = Tolerance(far, near, event, own)
        return replace(rules, policies=self.policies(), events=self.events, tolerance=tolerance)
