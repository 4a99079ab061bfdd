"""A file of ``operators/``: what is known of one operator, each value with its source."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from worker.core.operators import Fact, OperatorPack, Rung, Way
from worker.tables import Table, Text


class _Sourced(Table):
    source: Text = Field(description="say where the value comes from")
    checked_on: date = Field(description="a date like 2026-01-31 is missing")


class _Days(_Sourced):
    days: int = Field(ge=1, description="{value} is not a whole number of days above 0")

    def fact(self) -> Fact:
        return Fact(self.days, self.source, self.checked_on)


class _Value(_Sourced):
    value: Text = Field(description="a text is missing")

    def fact(self) -> Fact:
        return Fact(self.value, self.source, self.checked_on)


_DAYS = "write it in double brackets, with days, source and checked_on"
# Of these "phone" can be called from anywhere, and "topup" is the page to pay on.
_Contact = Literal["hotline", "phone", "website", "app", "topup"]


class OperatorFile(Table):
    """The whole file."""

    name: Text = Field(description="the operator's name is missing")
    contact: dict[_Contact, _Value] = Field(
        {}, description="write it as [contact] with hotline, phone, website, app or topup below"
    )
    renew: dict[Annotated[Way, Field(strict=False)], list[_Value]] = Field(
        {}, description="write such as [[renew.online]] with value, source and checked_on"
    )
    outgoing_block: list[_Days] = Field([], description=_DAYS)
    balance_loss: list[_Days] = Field([], description=_DAYS)
    line_loss: list[_Days] = Field([], description=_DAYS)
    reassignment: list[_Days] = Field([], description=_DAYS)

    def pack(self, code: str) -> OperatorPack:
        """The pack of the operator ``code``."""
        return OperatorPack(
            code,
            self.name,
            {r: tuple(d.fact() for d in found) for r in Rung if (found := getattr(self, r))},
            {key: value.fact() for key, value in self.contact.items()},
            {way: tuple(v.fact() for v in values) for way, values in self.renew.items()},
        )
