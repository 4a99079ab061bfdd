"""What the sandbox has been told, in memory: every accepted message, and the counters."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

from worker.sandbox.clock import Clock
from worker.sandbox.fault_rules import Rule
from worker.sandbox.faults import FaultPlan


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """How a sandbox starts: ``latency_ms`` is added to every provider call."""

    latency_ms: float = 0
    seed: int = 0
    clock_file: Path | None = None
    faults: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Sms:
    """One accepted Messages resource. ``sender`` is ``None`` where a service is to choose it."""

    id: str
    to: str
    sender: str | None
    service_sid: str | None
    body: str
    segments: int
    media: int
    status_callback: str | None
    validity_s: int
    created: datetime

    @property
    def attempt(self) -> str | None:
        """The ``a`` query parameter of the status callback."""
        if self.status_callback is None:
            return None
        values = parse_qs(urlsplit(self.status_callback).query).get("a")
        return values[0] if values else None

    @property
    def digest(self) -> str:
        """SHA-256 of the text, to tell repetitions apart from different messages."""
        return _digest(self.body)


@dataclass(frozen=True, slots=True)
class Email:
    """One accepted email to one address; ``id`` is the ``X-Message-Id`` of its request."""

    id: str
    to: str
    sender: str
    subject: str
    text: str
    html: str
    custom_args: Mapping[str, str]
    headers: Mapping[str, str]
    created: datetime

    @property
    def attempt(self) -> str | None:
        """The custom argument ``a``, or ``attempt``."""
        return self.custom_args.get("a") or self.custom_args.get("attempt")

    @property
    def digest(self) -> str:
        """SHA-256 of subject, text and HTML."""
        return _digest("\0".join((self.subject, self.text, self.html)))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


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

    def __init__(self, settings: SandboxSettings) -> None:
        self.settings = settings
        self.clock = Clock(settings.clock_file)
        self.reset()

    def reset(self) -> None:
        """Forget every message and counter; faults and latency are as at the start."""
        self.latency_ms = self.settings.latency_ms
        self.plan = FaultPlan(self.settings.faults, self.settings.seed)
        self.counters = Counters()
        self.log: list[Sms | Email] = []
        self.sms_by_id: dict[str, Sms] = {}
        self.sms_by_number: defaultdict[str, list[Sms]] = defaultdict(list)

    def accept_sms(self, sms: Sms) -> None:
        """Keep a message that Twilio would have accepted."""
        self.log.append(sms)
        self.sms_by_id[sms.id] = sms
        self.sms_by_number[sms.to].append(sms)

    def accept_email(self, email: Email) -> None:
        """Keep an email that SendGrid would have accepted."""
        self.log.append(email)


SANDBOX = web.AppKey("sandbox", Sandbox)
