"""The one list of providers, and what is asked of a provider by its name or by a code of its own.

A code of an end begins with its provider's name: ``twilio:30003``, ``smtp:rcpt_550_5.1.1``.
"""

from collections.abc import Callable
from typing import Final

from worker.core.cards import Channel
from worker.core.outcomes import OutcomeKind, Row, Scope
from worker.core.reports import News, Report
from worker.providers.declaration import Declaration, Silence
from worker.providers.sendgrid.provider import SENDGRID
from worker.providers.smtp.provider import SMTP
from worker.providers.twilio.provider import TWILIO
from worker.providers.vonage.provider import VONAGE

# In the order in which they are told of.
PROVIDERS: Final = (TWILIO, VONAGE, SENDGRID, SMTP)

_BY_NAME: Final = {provider.name: provider for provider in PROVIDERS}
# What a provider did not say itself (an HTTP status without its own code, a login that is not
# offered) concerns all that it carries.
_NOT_IN_A_TABLE: Final = Row(OutcomeKind.CONFIG_FAULT, scope=Scope.ACCOUNT)
# What our own pages and words leave as the reason of a silent address.
_OPTED_OUT: Final = "opted_out"
# The words of each provider's reports.
STATUSES: Final = {provider.name: provider.statuses for provider in PROVIDERS}
OPT_OUTS: Final = frozenset({_OPTED_OUT}).union(*(one.silence.codes for one in PROVIDERS))


def find(name: str | None) -> Declaration | None:
    """The provider with this name; ``None`` for one that this version does not have."""
    return _BY_NAME.get(name or "")


def named(channel: Channel, has: Callable[[Declaration], bool]) -> tuple[str, ...]:
    """The names of the providers that carry ``channel`` and of which ``has`` is true."""
    return tuple(one.name for one in PROVIDERS if channel in one.channels and has(one))


def can_be_asked(channel: Channel, name: str) -> bool:
    """Can the provider with this name be asked what became of a message on ``channel``? Of one that
    this version does not have others on the channel are taken as an example."""
    names = named(channel, lambda one: one.searchable)
    return name in names if find(name) else bool(names)


def row_of(code: str) -> Row:
    """What the table of its provider says of the ``code`` of an end."""
    name, _, rest = code.partition(":")
    provider = find(name)
    return (provider.row(rest) if provider else None) or _NOT_IN_A_TABLE


def news_of(report: Report) -> News | None:
    """The meaning of ``report``, ``None`` for what is nothing to us (an ``open``, a ``click``)."""
    provider = find(report.provider)
    return provider.news(report) if provider else None


def silence_of(name: str | None) -> Silence:
    """How the provider with this name says that a reader wants no more."""
    provider = find(name)
    return provider.silence if provider else Silence()


def is_doubtful(code: str) -> bool:
    """Is this ``code`` also given for a phone that is off?"""
    return row_of(code).doubtful


def is_opt_out(reason: str) -> bool:
    """Does this reason of an end say that a person has asked for silence?"""
    return reason in OPT_OUTS


def is_providers_word(reason: str | None) -> bool:
    """Is ``reason`` what a provider says of an address or a message, and not that a person wants
    silence?"""
    name = (reason or "").partition(":")[0]
    return name in _BY_NAME and not is_opt_out(str(reason))
