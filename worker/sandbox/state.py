"""What the sandbox has been told, in memory: every accepted message, and the counters."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiohttp import web

from worker.core.segments import measure
from worker.sandbox.account import TwilioAccount
from worker.sandbox.callbacks import Callbacks
from worker.sandbox.clock import Clock
from worker.sandbox.credentials import SENDER
from worker.sandbox.fault_rules import Channel, Rule
from worker.sandbox.faults import FaultPlan, ProviderCall
from worker.sandbox.messages import Email, Sms
from worker.sandbox.webhooks import DEFAULT, Webhooks


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """How a sandbox starts: ``latency_ms`` is added to every provider call."""

    latency_ms: float = 0
    seed: int = 0
    clock_file: Path | None = None
    faults: tuple[Rule, ...] = ()
    webhooks: Webhooks = DEFAULT


@dataclass(slots=True)
class Counters:
    """Provider calls since the start or the last reset.

    ``refused`` counts calls answered with an error of their own making (credentials, content);
    what a fault rule did is counted in ``faults``, by kind.
    """

    calls: int = 0
    refused: int = 0
    faults: Counter[str] = field(default_factory=Counter)


class Sandbox:
    """The whole state of one sandbox process. Nothing in it awaits, so every step is atomic."""

    def __init__(self, settings: SandboxOptions) -> None:
        self.settings = settings
        self.clock = Clock(settings.clock_file)
        self.callbacks = Callbacks(self.clock, settings.webhooks, settings.seed)
        self.reset()

    def reset(self) -> None:
        """Forget every message and counter; faults, latency and webhooks are as at the start."""
        self.callbacks.reset(self.settings.webhooks)
        self.latency_ms = self.settings.latency_ms
        self.plan = FaultPlan(self.settings.faults, self.settings.seed)
        self.counters = Counters()
        self.log: list[Sms | Email] = []
        # By their provider, and its id of them or their number.
        self.sms_by_id: dict[tuple[str, str], Sms] = {}
        self.sms_by_number: defaultdict[tuple[str, str], list[Sms]] = defaultdict(list)
        self.received: list[Sms] = []
        self.account = TwilioAccount()
        # What the API of a provider keeps for itself, by the provider's name.
        self.own: dict[str, Any] = {}

    def later_fault(self, provider: str, channel: Channel, address: str) -> Rule | None:
        """What befalls a message after it was accepted, if anything."""
        call = ProviderCall(channel, "create", (address,), self.clock.now(), provider)
        rule = self.plan.pick(call, "later")
        if rule is not None:
            self.counters.faults[rule.kind] += 1
        return rule

    def accept_sms(self, sms: Sms) -> None:
        """Keep a message that its provider would have accepted."""
        self.log.append(sms)
        self.sms_by_id[sms.provider, sms.id] = sms
        self.sms_by_number[sms.provider, sms.to].append(sms)

    def receive(self, form: Mapping[str, str]) -> str:
        """Keep what a holder wrote (``From``, ``Body``, perhaps ``To``); returns its SID."""
        body = form["Body"]
        sms = Sms(
            provider="twilio",
            id=f"SM{uuid4().hex}",
            to=form.get("To", SENDER),
            sender=form["From"],
            service_sid=None,
            body=body,
            segments=measure(body).segments,
            media=0,
            status_callback=None,
            validity_s=0,
            created=self.clock.now(),
            inbound=True,
        )
        self.received.append(sms)
        return sms.id

    def accept_email(self, email: Email) -> None:
        """Keep an email that SendGrid would have accepted, and report what becomes of it."""
        self.log.append(email)
        self.callbacks.email(email)


SANDBOX = web.AppKey("sandbox", Sandbox)
