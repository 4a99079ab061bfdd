"""Each row of the tables of ends, and each word a provider reports: sent through the official SDKs
over HTTP, answered by the sandbox (or a mail server), and looked up in the ledger.

The cases come from the tables themselves: a row of a class without a consequence fails here.
"""

import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs
from twilio.rest.api.v2010.account.message import (  # type: ignore[import-untyped, unused-ignore]
    MessageInstance,
)

from tests.integration.helpers import NOW, causes
from tests.integration.mail_server import CLOSE, SILENCE, MailServer, self_signed
from tests.integration.real_path import (
    LATER,
    MAIL,
    MISSED,
    PENDING,
    SMS,
    SUPPRESSED,
    Case,
    Ledger,
    Told,
    Walk,
    all_told,
    breaker_of,
    failed_behind,
    refused_in_the_call,
    reported,
    waits_well,
)
from tests.integration.sandbox_helpers import call, record, set_faults
from tests.integration.web_helpers import event, post_events, post_status, status_form
from worker.core.cards import Channel
from worker.core.optout import Said
from worker.core.outcomes import ALONE, FAULTS, Fault, OutcomeKind, Row, Scope
from worker.core.reminders import MessageState, ReminderState
from worker.providers.registry import STATUSES as WORDS
from worker.providers.sendgrid.outcomes import (
    SENDGRID_DROPS,
    SENDGRID_EVENTS,
    SENDGRID_STATUSES,
    UNKNOWN_DROP,
)
from worker.providers.sendgrid.reports import OPT_INS, OPT_OUTS
from worker.providers.smtp.outcomes import SMTP_REPLIES, SmtpPhase
from worker.providers.twilio.outcomes import TWILIO_CODES
from worker.sandbox.credentials import ACCOUNT_SID, AUTH_TOKEN, SENDER
from worker.sandbox.lifecycle import EMAIL as SANDBOX_EVENTS
from worker.store.tables import attempts, messages, receipts, suppressions

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
FAULT = OutcomeKind.CONFIG_FAULT
DEAD_ENDS = (OutcomeKind.RECIPIENT_DEAD, OutcomeKind.MESSAGE_DEAD)
SENT_MESSAGE, SENT_REMINDER = MessageState.SENT, ReminderState.SENT
on_sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)

# Twilio's HTTP status with a code, where it is not 400.
_TWILIO_STATUS = {20003: 401, 20403: 403, 20404: 404, 20429: 429}


IN_TWILIO_CALLS = [
    Case(
        f"twilio:{code}",
        row,
        {"channel": "sms", "kind": "code", "code": code, "status": _TWILIO_STATUS.get(code, 400)},
        breaker_of(row, "twilio"),
    )
    for code, row in TWILIO_CODES.items()
]
IN_SENDGRID_CALLS = [
    Case(
        f"sendgrid:http_{status}",
        row,
        {"channel": "email", "kind": "code", "status": status},
        "email/sendgrid/*/*",
    )
    for status, row in SENDGRID_STATUSES.items()
]
IN_CALLS = {SMS: IN_TWILIO_CALLS, MAIL: IN_SENDGRID_CALLS}


def strike(walk: Walk, told: Sequence[Told], cases: Sequence[Case], **more: Any) -> None:
    """Let each of ``told`` meet the fault of its case."""
    rules = [
        {**case.rule, "to": one.address, **more} for one, case in zip(told, cases, strict=True)
    ]
    set_faults(walk.world.sandbox, *rules)


def assert_left(walk: Walk, told: Sequence[Told], wanted: dict[str, Ledger]) -> None:
    found = dict(zip(wanted, walk.ledgers(told), strict=True))
    wrong = {name: (found[name], wanted[name]) for name in wanted if found[name] != wanted[name]}
    assert wrong == {}, "found, wanted"


def assert_patient(
    walk: Walk, told: Sequence[Told], cases: Sequence[Case], since: datetime
) -> None:
    """What waits does so for as long as its row says; what has ended is not looked at again."""
    looks = walk.next_looks()
    for one, case, left in zip(told, cases, walk.ledgers(told), strict=True):
        assert waits_well(case.row, left, since, looks[one.message]), case


@pytest.mark.parametrize("channel", [SMS, MAIL])
def test_each_answer_to_a_call_has_the_consequence_of_its_class(
    walk: Walk, channel: Channel
) -> None:
    cases = [case for case in IN_CALLS[channel] if case.row.kind is not FAULT]
    told = walk.people(channel, len(cases))
    strike(walk, told, cases)
    with capture_logs() as logs:
        walk.deliver(channel)
    assert_left(walk, told, {case.code: refused_in_the_call(case) for case in cases})
    assert_patient(walk, told, cases, NOW)
    assert walk.breakers() == []
    dead = [case for case in cases if case.row.kind is OutcomeKind.MESSAGE_DEAD]
    assert sorted(causes(logs)) == sorted(["message_dead", "reminder_missed"] * len(dead))
    assert walk.world.accepted() == []

    # The other channel tells those who cannot be reached so, and nobody else.
    walk.deliver(channel.other, now=LATER)
    over = [case for case in cases if case.row.kind in DEAD_ENDS]
    reached = [one for one in walk.ledgers(told) if one.fallback == ((SENT_REMINDER, None),)]
    assert len(walk.world.accepted(channel.other)) == len(reached) == len(over)

    # A reason that bounds its attempts ends there, and the other channel takes over.
    for one, case in zip(told, cases, strict=True):
        if case.row.kind is not OutcomeKind.TRANSIENT or case.row.most is None:
            continue
        again = walk.next_looks()[one.message]
        assert again is not None
        assert case.row.most == 2
        assert walk.deliver(channel, [one.message], again) == {MessageState.FAILED: 1}
        why = f"{case.code}: 2 attempts"
        left = walk.ledger(one)
        assert (left.reason, left.attempts, len(left.tried)) == (why, 0, 2)
        assert (left.reminder, left.fallback) == ((SUPPRESSED, why), ((PENDING, None),))


@on_sqlite
@pytest.mark.parametrize("channel", [SMS, MAIL])
def test_each_fault_of_ours_opens_its_breaker_until_it_is_over(
    walk: Walk, channel: Channel
) -> None:
    cases = [c for c in IN_CALLS[channel] if c.row.kind is FAULT and c.row.scope not in ALONE]
    assert cases
    for one, case in zip(walk.people(channel, len(cases)), cases, strict=True):
        strike(walk, [one], [case], times=1)
        with capture_logs() as logs:
            assert walk.deliver(channel, [one.message]) == {MessageState.HELD: 1}
        assert_left(walk, [one], {case.code: refused_in_the_call(case)})
        assert walk.breakers() == [(case.breaker, case.code)]
        assert causes(logs) == [FAULT]
        over_at = walk.next_looks()[one.message]
        assert over_at is not None
        assert walk.deliver(channel, [one.message], over_at) == {SENT_MESSAGE: 1}
        assert walk.breakers() == []
        assert walk.ledger(one).attempts == 1
    assert walk.world.rows(suppressions) == []


@on_sqlite
def test_each_refusal_of_one_message_or_recipient_rests_by_itself(walk: Walk) -> None:
    cases = [c for c in IN_TWILIO_CALLS if c.row.kind is FAULT and c.row.scope in ALONE]
    told = walk.people(SMS, len(cases) + 1)
    strike(walk, told[:-1], cases)
    with capture_logs() as logs:
        assert walk.deliver(SMS) == {MessageState.HELD: len(cases), SENT_MESSAGE: 1}
    assert_left(walk, told[:-1], {case.code: refused_in_the_call(case) for case in cases})
    assert walk.breakers() == []
    assert causes(logs) == [FAULT] * len(cases)
    set_faults(walk.world.sandbox)
    again = max(at for at in walk.next_looks().values() if at)
    assert walk.deliver(SMS, now=again) == {SENT_MESSAGE: len(cases)}


# What befalls a call on its way, and by what it is made to happen.
_ON_THE_WIRE: dict[Fault, dict[str, Any] | str] = {
    Fault.CONNECT: "nobody listens",
    Fault.TLS: "a certificate that nobody knows",
    Fault.TIMEOUT: {"kind": "timeout_after", "hold_s": 2},
    Fault.RESET: {"kind": "reset_after"},
    Fault.BROKEN_REPLY: {"kind": "html_after", "status": 200},
}


@on_sqlite
@pytest.mark.parametrize("channel", [SMS, MAIL])
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_on_the_wire_has_the_consequence_of_its_class(
    walk: Walk, channel: Channel, fault: Fault, tmp_path: Path
) -> None:
    how = _ON_THE_WIRE[fault]
    case = Case(fault.value, FAULTS[fault], {})
    [one] = walk.people(channel, 1)
    with capture_logs() as logs, nowhere(fault, tmp_path) as url:
        if url is not None:
            bases = ("twilio_base_url", "sendgrid_base_url")
            walk.settings = dict.fromkeys(bases, url)
        elif isinstance(how, dict):
            set_faults(walk.world.sandbox, {"channel": str(channel), "times": 1, **how})
        walk.world.read_timeout = 0.3 if fault is Fault.TIMEOUT else 5.0
        walk.deliver(channel)
    assert_left(walk, [one], {case.code: refused_in_the_call(case)})
    assert_patient(walk, [one], [case], NOW)
    assert causes(logs) == ([case.row.kind] if fault is Fault.TLS else [])
    assert walk.breakers() == []


@contextmanager
def nowhere(fault: Fault, folder: Path) -> Iterator[str | None]:
    """An address where ``fault`` befalls every call, if it is one of an address."""
    if fault is Fault.CONNECT:
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
            yield f"http://127.0.0.1:{held.getsockname()[1]}"
    elif fault is Fault.TLS:
        with MailServer(certificate=self_signed(folder)[0], tls=True) as server:
            yield f"https://127.0.0.1:{server.port}"
    else:
        yield None


# SMTP


def breaker_of_mail(row: Row) -> str:
    return "email/smtp/*/r…@example.com" if row.scope is Scope.SENDER else "email/smtp/*/*"


def smtp_cases() -> Iterator[Case]:
    """A reply for each row, which no row before it decides."""
    for number, (phases, digits, start, row) in enumerate(SMTP_REPLIES):
        phase, reply, enhanced = next(
            (phase, reply, enhanced)
            for phase in sorted(phases or SmtpPhase, reverse=True)
            for reply in (f"{digits:0<3}", f"{digits:9<3}")
            for enhanced in ({"": "", "5.": "5.3.4"}.get(start, f"{start}1"[:5]),)
            if decides(number, phase, reply, enhanced)
        )
        code = f"smtp:{phase}_{reply}" + (f"_{enhanced}" if enhanced else "")
        yield Case(code, row, {phase: f"{reply} {enhanced} so it is"}, "email/smtp/*/*")


def decides(number: int, phase: SmtpPhase, reply: str, enhanced: str) -> bool:
    first = next(
        n
        for n, (phases, digits, start, _) in enumerate(SMTP_REPLIES)
        if (phases is None or phase in phases)
        and reply.startswith(digits)
        and enhanced.startswith(start)
    )
    return first == number


LOST = [
    Case("smtp:rcpt_reset", FAULTS[Fault.CONNECT], {"rcpt": CLOSE}),
    Case("reset", FAULTS[Fault.RESET], {"body": CLOSE}),
    Case("timeout", FAULTS[Fault.TIMEOUT], {"body": SILENCE}),
    Case("broken_reply", FAULTS[Fault.BROKEN_REPLY], {"body": "hello"}),
]


@on_sqlite
def test_each_reply_of_a_mail_server_has_the_consequence_of_its_class(walk: Walk) -> None:
    cases = [*smtp_cases(), *LOST]
    told = walk.people(MAIL, len(cases))
    with MailServer(users={"us": "s3cret"}) as server:
        walk.settings = {
            "twilio_account_sid": ACCOUNT_SID,
            "twilio_auth_token": AUTH_TOKEN,
            "twilio_from": SENDER,
            "smtp_url": f"smtp://us:s3cret@127.0.0.1:{server.port}",
            "smtp_from": "reminders@example.com",
        }
        for one, case in zip(told, cases, strict=True):
            server.replies = dict(case.rule)
            walk.world.read_timeout = 0.3 if SILENCE in case.rule.values() else 5.0
            walk.deliver(MAIL, [one.message])
            assert_left(walk, [one], {case.code: refused_in_the_call(case)})
            assert_patient(walk, [one], [case], NOW)
            server.replies = {}
            if case.row.kind is FAULT:
                if case.row.scope not in ALONE:
                    assert walk.breakers() == [(breaker_of_mail(case.row), case.code)]
                over_at = walk.next_looks()[one.message]
                assert over_at is not None
                assert walk.deliver(MAIL, [one.message], over_at) == {SENT_MESSAGE: 1}
            assert walk.breakers() == []


# What Twilio reports

BEHIND_TWILIO = [
    Case(
        f"twilio:{code}",
        row,
        {"channel": "sms", "kind": "undelivered" if row.most else "failed", "code": code},
        breaker_of(row, "twilio"),
    )
    for code, row in TWILIO_CODES.items()
]


def sample(walk: Walk, cases: Sequence[Case]) -> Sequence[Case]:
    """All on SQLite; on PostgreSQL the first of each class."""
    if walk.world.engine.dialect.name == "sqlite":
        return cases
    return list({case.row.kind: case for case in reversed(cases)}.values())


def test_each_code_of_a_status_callback_has_the_consequence_of_its_class(walk: Walk) -> None:
    cases = sample(walk, BEHIND_TWILIO)
    told = walk.people(SMS, len(cases))
    strike(walk, told, cases)
    # All at once: what is reported of the first closes the way for those that are not claimed yet.
    walk.settings = {**walk.settings, "delivery": {"in_flight": 2 * len(cases)}}
    with reported(walk):
        assert walk.deliver(SMS) == {SENT_MESSAGE: len(cases)}
        ends = [3 if case.row.most else 2 for case in cases]  # a failed one was never sent
        all_told(walk, sum(ends))
        assert_left(walk, told, {case.code: failed_behind(case) for case in cases})
        assert_patient(walk, told, cases, LATER)
        # A fault of ours closes the way as it does in an answer; which comes first names it.
        faults = [(c.breaker, c.code) for c in cases if c.row.kind is FAULT and c.breaker]
        assert {key for key, _ in walk.breakers()} == {key for key, _ in faults}
        assert set(walk.breakers()) <= set(faults)
    kept_reports = [row for row in walk.world.rows(receipts) if row.applied_at]
    assert len(kept_reports) == sum(ends)


def test_what_fails_behind_the_provider_twice_goes_the_other_way(walk: Walk) -> None:
    cases = [case for case in BEHIND_TWILIO if case.row.most]
    told = walk.people(SMS, len(cases))
    strike(walk, told, cases)
    with reported(walk):
        walk.deliver(SMS)
        all_told(walk, 3 * len(cases))
    again = max(at for at in walk.next_looks().values() if at)
    with reported(walk, again):
        assert walk.deliver(SMS, now=again) == {SENT_MESSAGE: len(cases)}
        all_told(walk, 6 * len(cases))
    for one, case in zip(told, cases, strict=True):
        left = walk.ledger(one)
        assert (left.state, left.attempts) == (MessageState.UNDELIVERED, 2), case
        assert left.reminder == (ReminderState.SUPPRESSED, case.code)
        assert (left.fallback, left.suppressed) == (((PENDING, None),), ())


def gone(state: MessageState, reason: str, kind: str, reminder: tuple[str, str | None]) -> Ledger:
    fallback = ((str(PENDING), None),) if state is MessageState.UNDELIVERED else ()
    return Ledger(state, reason, 1, ((kind, reason),), reminder, fallback)


ON_ITS_WAY = Ledger(SENT_MESSAGE, None, 1, (("accepted", "accepted"),), (SENT_REMINDER, None))
ARRIVED = Ledger(
    MessageState.DELIVERED, None, 1, (("accepted", "delivered"),), (ReminderState.DELIVERED, None)
)
# Each status that Twilio's own SDK knows; ``None``: nothing is stored.
STATUSES: dict[str, Ledger | None] = {
    **dict.fromkeys(("accepted", "scheduled", "queued", "sending", "sent"), ON_ITS_WAY),
    **dict.fromkeys(("delivered", "read"), ARRIVED),
    "undelivered": gone(MessageState.RETRYABLE, "twilio:undelivered", "ambiguous", (PENDING, None)),
    **{
        status: gone(MessageState.UNDELIVERED, why, "message_dead", (MISSED, why))
        for status in ("failed", "canceled")
        for why in (f"twilio:{status}",)
    },
    **dict.fromkeys(("receiving", "received", "partially_delivered", "invented"), None),
}
_OF_THE_SDK = {str(value) for name, value in vars(MessageInstance.Status).items() if name.isupper()}


def test_each_status_of_twilio_has_its_consequence(walk: Walk) -> None:
    assert STATUSES.keys() == _OF_THE_SDK | WORDS["twilio"] | {"invented"}
    told = walk.people(SMS, len(STATUSES))
    with reported(walk, drop_rate=1) as web:
        walk.deliver(SMS)
        tried = {row.message_id: row for row in walk.world.rows(attempts)}
        for one, status in zip(told, STATUSES, strict=True):
            own = tried[one.message]
            form = status_form(MessageSid=own.provider_id, MessageStatus=status, To=one.address)
            for _ in range(2):
                assert post_status(web, form, f"?a={own.id}").status == 204
    assert_left(walk, told, {name: left or ON_ITS_WAY for name, left in STATUSES.items()})
    stored = sorted(row.status for row in walk.world.rows(receipts))
    assert stored == sorted(name for name, left in STATUSES.items() if left)


# What SendGrid reports


def mail_ends() -> dict[str, tuple[dict[str, Any], Ledger | None]]:
    """Each event and reason of the tables: what SendGrid posts, and what is left."""
    found: dict[str, tuple[dict[str, Any], Ledger | None]] = {
        "processed": ({"event": "processed"}, ON_ITS_WAY),
        # SendGrid's own "attempt" is the number of its tries.
        "deferred": ({"event": "deferred", "attempt": "3"}, ON_ITS_WAY),
        "delivered": ({"event": "delivered"}, ARRIVED),
    }
    for name, row in SENDGRID_EVENTS.items():
        said: dict[str, Any] = {"event": name}
        if name == "blocked":
            said = {"event": "bounce", "type": "blocked", "status": "4.7.1"}
        code = UNKNOWN_DROP if name == "dropped" else f"sendgrid:{name}"
        left = failed_behind(Case(code, row, {}))
        found[name] = (said, opted_out(name) if name in OPT_OUTS else left)
    for reason, row in SENDGRID_DROPS.items():
        said = {"event": "dropped", "reason": reason.title()}
        code = "sendgrid:opted_out" if row.opt_out else "sendgrid:dropped"
        found[reason] = (said, failed_behind(Case(code, row, {})))
    found["group_resubscribe"] = ({"event": "group_resubscribe"}, ON_ITS_WAY)
    others = ("open", "click", "account_status_change", "invented")
    return found | {name: ({"event": name}, None) for name in others}


def opted_out(name: str) -> Ledger:
    """The mail has arrived, and it was the last one."""
    on = ON_ITS_WAY
    silence = (f"sendgrid:{name} by optout",)
    return Ledger(on.state, None, 1, on.tried, on.reminder, (), silence)


def test_each_event_of_sendgrid_has_its_consequence(walk: Walk) -> None:
    ends = mail_ends()
    assert ends.keys() >= WORDS["sendgrid"]
    told = walk.people(MAIL, len(ends))
    with reported(walk, drop_rate=1) as web:
        walk.deliver(MAIL)
        tried = {row.message_id: row for row in walk.world.rows(attempts)}
        events = []
        for one, (said, _) in zip(told, ends.values(), strict=True):
            own, more = tried[one.message], {k: v for k, v in said.items() if k != "event"}
            more |= {"sg_message_id": f"{own.provider_id}.recvd-1", "email": one.address}
            events.append(event(uuid4().hex, said["event"], vigencia_attempt=str(own.id), **more))
        for _ in range(2):
            assert post_events(web, events, LATER).status == 204
    assert_left(walk, told, {name: left or ON_ITS_WAY for name, (_, left) in ends.items()})
    stored = [row for row in walk.world.rows(receipts) if row.applied_at]
    assert len(stored) == sum(left is not None for _, left in ends.values())
    assert all("example.com" not in repr(row) for row in stored)


def test_what_the_sandbox_says_of_emails_reaches_the_ledger(walk: Walk) -> None:
    kinds = [kind for kind in SANDBOX_EVENTS if kind not in ("delivered",)]
    told = walk.people(MAIL, len(kinds) + 1)
    rules: list[dict[str, object]] = [
        {"channel": "email", "kind": kind, "to": one.address}
        for one, kind in zip(told[1:], kinds, strict=True)
    ]
    set_faults(walk.world.sandbox, *rules)
    with reported(walk):
        assert walk.deliver(MAIL) == {SENT_MESSAGE: len(told)}
        all_told(walk, sum(len(SANDBOX_EVENTS[kind]) for kind in ("delivered", *kinds)))
    wanted = {"delivered": ARRIVED}
    for kind in kinds:
        if kind in OPT_INS:  # lifted again, and kept as proof
            lifted = ("sendgrid:group_unsubscribe by optout",)
            wanted[kind] = replace(ARRIVED, suppressed=lifted)
            continue
        if kind in OPT_OUTS:
            silence = (f"sendgrid:{kind} by optout",)
            tried, reminder = ARRIVED.tried, ARRIVED.reminder
            wanted[kind] = Ledger(ARRIVED.state, None, 1, tried, reminder, (), silence)
        else:
            failed = SENDGRID_EVENTS.get(kind)
            if kind == "dropped":  # SendGrid's list of bounces knows the address
                failed = SENDGRID_DROPS["bounced address"]
            case = Case(f"sendgrid:{kind}", failed or Row(OutcomeKind.ACCEPTED), {})
            wanted[kind] = failed_behind(case) if failed else ARRIVED
    assert_left(walk, told, wanted)
    [put_off] = [row for row in walk.world.rows(receipts) if row.status == "deferred"]
    of_it = told[1 + kinds.index("deferred")].message
    assert [a.id for a in walk.world.rows(attempts) if a.message_id == of_it] == [
        put_off.attempt_id
    ]


# What holders write

INBOUND: dict[Said, tuple[str, int, int]] = {
    # the word; suppressions in force after it, and texts that still arrive
    Said.OUT: ("BAJA", 1, 0),
    Said.IN: ("ALTA", 0, 1),
    Said.HELP: ("AYUDA", 0, 1),
    # A sentence with a word in it goes to a person, and stops nothing.
    Said.UNCLEAR: ("no quiero baja del chip", 0, 1),
}


@pytest.mark.parametrize("said", Said)
def test_each_word_of_a_holder_has_its_consequence(walk: Walk, said: Said) -> None:
    word, in_force, arrive = INBOUND[said]
    [one] = walk.people(SMS, 1)
    with reported(walk):
        for body in ("salir", word) if said is Said.IN else (word,):
            asked = json.dumps({"from": one.address, "body": body})
            told = call(walk.world.sandbox, "POST", "/sandbox/inbound", asked)
            assert told.json["status"] == 200
    rows = walk.world.rows(suppressions)
    assert sum(row.lifted_at is None for row in rows) == in_force
    walk.deliver(SMS, now=LATER)
    assert len(walk.world.accepted(SMS)) == arrive
    walk.deliver(MAIL, now=LATER)
    assert len(walk.world.accepted(MAIL)) == 1 - arrive
    assert record(walk.world.sandbox)["counters"]["refused"] == 0
    assert {row.state for row in walk.world.rows(messages)} <= {SENT_MESSAGE, "cancelled"}
