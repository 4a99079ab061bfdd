"""How messages and reminders may change, and why: the one table behind docs/states.md.

The store changes the state of a message only as the table allows: its updates begin where
``before`` says, and ``check`` refuses a change that is not in it. Whether a reminder changes
depends on its reason and its times as well, so ``store/reminders.py`` has its own conditions; a
test that plays the whole program at random holds every change of either against this table.
"""

from collections.abc import Collection, Mapping

from worker.core.reminders import MessageState as M
from worker.core.reminders import ReminderState as R

# A message ends in one of these. Only a report can still change it.
ENDS = (M.SENT, M.DELIVERED, M.UNDELIVERED, M.FAILED, M.CANCELLED)
# In one of these somebody has still to look at it.
OPEN = tuple(state for state in M if state not in ENDS)

_NEVER = (
    "nothing in it is still true or may be told this way, its keeper cancels it, or undoes the "
    "event it tells of"
)
# What a message goes through.
WAYS: Mapping[tuple[M, M], str] = {
    (M.PENDING, M.SENDING): "a worker takes it up, and nothing stands against it",
    (M.PENDING, M.HELD): "an open breaker, or a broken text",
    (M.PENDING, M.CANCELLED): _NEVER,
    (M.RETRYABLE, M.SENDING): "a worker takes it up again",
    (
        M.RETRYABLE,
        M.PENDING,
    ): "it must wait: for the holder's daytime, the sender's pace, a cap",
    (M.RETRYABLE, M.HELD): "an open breaker, or a broken text",
    (M.RETRYABLE, M.CANCELLED): _NEVER,
    (M.HELD, M.SENDING): "a worker takes it up: as the probe, or since the fault is over",
    (
        M.HELD,
        M.PENDING,
    ): "the fault is over, and it must wait: for the holder's daytime, the sender's pace, a cap",
    (M.HELD, M.CANCELLED): _NEVER,
    (M.SENDING, M.HELD): "a fault of our configuration, or a provider that is down",
    (M.SENDING, M.RETRYABLE): "certainly not sent, and there is time to try again",
    (M.SENDING, M.UNKNOWN): "no usable answer, or its worker was lost",
    (M.SENDING, M.SENT): "the provider took it",
    (M.SENDING, M.FAILED): "refused for good, or no attempts or no time left",
    (M.UNKNOWN, M.SENT): "the provider's list, a report, or its keeper says that it was taken",
    (
        M.UNKNOWN,
        M.RETRYABLE,
    ): "it was not taken, by the provider or its keeper; or nobody can tell, and it goes once more",
    (M.UNKNOWN, M.FAILED): "not settled while its notice was useful",
    (M.SENT, M.DELIVERED): "a report that it arrived",
    (M.SENT, M.UNDELIVERED): "a report that it did not arrive",
    (M.SENT, M.RETRYABLE): "a report of a failure that may pass: once more, later",
    (M.SENT, M.HELD): "a report of a fault of our configuration",
    (M.DELIVERED, M.UNDELIVERED): "email: refused behind the first mail server",
    (M.DELIVERED, M.RETRYABLE): "email: refused for now behind the first mail server",
    (M.DELIVERED, M.HELD): "email: a report of a fault of our configuration",
}

# A report, or an answer that comes late, tells of an earlier attempt when the message was somewhere
# else already: what was taken was taken.
LATE: Mapping[tuple[M, M], str] = {
    **{
        (state, M.SENT): "an earlier attempt turns out to have been taken"
        for state in (M.PENDING, M.RETRYABLE, M.HELD, M.FAILED, M.CANCELLED)
    },
    **{
        (state, M.DELIVERED): "an earlier attempt that had been reported as failed arrived"
        for state in M
        if state not in (M.SENT, M.DELIVERED)
    },
}

TRANSITIONS: Mapping[tuple[M, M], str] = {**WAYS, **LATE}


def before(new: M) -> tuple[M, ...]:
    """The states from which a message may come to ``new``."""
    return tuple(state for state in M if (state, new) in TRANSITIONS)


def check(old: Collection[M], new: M) -> None:
    """Raise ``ValueError`` unless a message in any state of ``old`` may come to ``new``, or stay
    there."""
    for state in old:
        if state is not new and (state, new) not in TRANSITIONS:
            raise ValueError(f"a message that is {state} cannot become {new}")


REMINDER_TRANSITIONS: Mapping[tuple[R, R], str] = {
    (R.PENDING, R.SENT): "the provider took its message",
    (R.PENDING, R.DELIVERED): "a report that its message arrived, in an earlier attempt",
    (
        R.PENDING,
        R.SUPPRESSED,
    ): "it cannot or must not be told this way: the other takes over, if no keeper cancelled it",
    (R.PENDING, R.SUPERSEDED): "no longer true, told with another, or its event was undone",
    (R.PENDING, R.MISSED): "not told while it was useful: an alarm",
    (R.SENT, R.DELIVERED): "a report that its message arrived",
    (R.SENT, R.PENDING): "a report that its message did not arrive: owed again",
    (R.DELIVERED, R.PENDING): "email: refused behind the first mail server: owed again",
    (
        R.SUPPRESSED,
        R.MISSED,
    ): "its message did not arrive, and nobody is told another way: an alarm",
    (R.SUPPRESSED, R.DELIVERED): "its message arrived after all",
    (R.SUPPRESSED, R.SUPERSEDED): "the event it would have told of was undone",
    (R.MISSED, R.SENT): "its message turns out to have been taken",
    (R.MISSED, R.DELIVERED): "its message arrived after all",
    (R.SUPERSEDED, R.SENT): "it was on its way when an event ended it",
    (R.SUPERSEDED, R.DELIVERED): "it was on its way when an event ended it, and arrived",
    (
        R.SUPERSEDED,
        R.PENDING,
    ): "the event that ended it no longer holds, or was undone: owed again",
    (R.SUPERSEDED, R.SUPPRESSED): "owed again, without an address on this channel",
    (R.SUPERSEDED, R.MISSED): "owed again, and too late by then: an alarm",
}
