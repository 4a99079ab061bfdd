"""What each alarm asks for: one sentence with its number, and the next step."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from worker.web.console.catalogs import marked as _
from worker.web.console.catalogs import marked_many as many


class AlarmText(NamedTuple):
    """``said``: singular and plural of what is wrong; ``advice``: what to do about it."""

    said: tuple[str, str]
    advice: str


TEXTS: Final[Mapping[str, AlarmText]] = {
    "reminders_late": AlarmText(
        many("%(num)d reminder waits past its time.", "%(num)d reminders wait past their time."),
        _("Do the workers run and keep up? Held messages and unknown ones wait too."),
    ),
    "messages_held": AlarmText(
        many("%(num)d message is held.", "%(num)d messages are held."),
        _(
            "A provider refuses our account, key or sender, or is down, or a text is broken. "
            "Correct it; what is held goes out by itself."
        ),
    ),
    "messages_unknown": AlarmText(
        many(
            "Of %(num)d message nobody knows whether it was sent.",
            "Of %(num)d messages nobody knows whether they were sent.",
        ),
        _("The provider is asked. Where it cannot tell, settle it by hand."),
    ),
    "reminders_missed": AlarmText(
        many("%(num)d reminder was missed.", "%(num)d reminders were missed."),
        _("Tell their holders in another way; the reason stands beside each notice."),
    ),
    "addresses_dead": AlarmText(
        many(
            "%(num)d address does not take messages any more.",
            "%(num)d addresses do not take messages any more.",
        ),
        _("Ask their holders for another phone or email, and import it."),
    ),
    "checks_overdue": AlarmText(
        many("%(num)d card waits to be checked.", "%(num)d cards wait to be checked."),
        _("Do workers run, and do they serve the queue of checks?"),
    ),
    "breaker_open": AlarmText(
        many(
            "One provider or sender is not used at present.",
            "One provider or sender is not used at present.",
        ),
        _("It refused us. It is tried again by itself; correct what it names in the log."),
    ),
}
OTHER: Final = AlarmText(
    many("Something asks for somebody.", "Something asks for somebody."),
    _("The log names it, and docs/deployment.md says what to do."),
)
