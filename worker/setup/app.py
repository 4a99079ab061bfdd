"""Composition: everything a process needs, made once from the settings."""

import asyncio
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from urllib.error import URLError

from sqlalchemy import Engine

from worker.clock import Clock, file_clock, system_clock
from worker.content.render import Content
from worker.core.breaker import BreakerPolicy
from worker.core.caps import Caps
from worker.core.cards import Channel
from worker.core.retry import RetryPolicy
from worker.core.rules import Rules
from worker.core.tokens import Links, Signer
from worker.errors import UnreachableError
from worker.paths import config_dir, templates_dir
from worker.pipeline.answers.deadlines import Answers
from worker.pipeline.answers.renewals import RenewalAnswers
from worker.pipeline.answers.stopping import Stopping
from worker.pipeline.check import Checks
from worker.pipeline.consent import Consent
from worker.pipeline.decisions import Decisions
from worker.pipeline.delivery import Delivery, open_delivery
from worker.pipeline.delivery.limits import Limits, load_countries
from worker.pipeline.delivery.rendering import Renderer
from worker.pipeline.events import Life
from worker.pipeline.receipts import Fetching, Listening, Receipts, Reconciliation
from worker.pipeline.receipts.restored import Release, Texts
from worker.pipeline.retention import Periods, Retention
from worker.pipeline.telling_again import TellingAgain
from worker.pipeline.undoing import Undoing
from worker.providers.base import Hearing, Searchable
from worker.providers.choice import hearing, searchable
from worker.providers.transport import Transport
from worker.sandbox import credentials as sandbox
from worker.setup.gateways import Gateways, choose
from worker.setup.load_prices import load_tariff
from worker.setup.load_rules import load_rules
from worker.setup.load_texts import texts
from worker.setup.pace import open_pace, rates
from worker.setup.queue_address import require_address
from worker.setup.settings import Settings, keys_in, load
from worker.store.engine import open_engine
from worker.store.migrate import require_current
from worker.store.postgresql import StatementTimeouts

# How long what a guardian is told waits for more, so that all of a morning is one digest.
_GATHER = timedelta(minutes=10)


@dataclass
class App:
    """One process's parts; the costly ones are made on first use."""

    settings: Settings
    rules: Rules
    gateways: Gateways
    engine: Engine
    now: Clock

    @cached_property
    def content(self) -> Content:
        """All texts, compiled and tried."""
        return texts(templates_dir().resolve())

    @cached_property
    def transport(self) -> Transport:
        """The connection pool of this process."""
        delivery = self.settings.delivery
        return Transport(
            delivery.connect_timeout, delivery.read_timeout, connections=2 * delivery.in_flight
        )

    @cached_property
    def retry(self) -> RetryPolicy:
        """When to try again."""
        own = self.settings.retry
        return RetryPolicy(
            base=timedelta(seconds=own.base_seconds),
            longest=timedelta(seconds=own.longest_seconds),
            park=timedelta(seconds=own.park_seconds),
            hold=timedelta(seconds=own.hold_seconds),
            most=own.attempts,
            resend=self.settings.unknown.resend,
            fetch_after=self.settings.receipts.fetch_after,
        )

    @property
    def unchecked(self) -> timedelta:
        """How long a check may be owed before that needs explaining: three leases."""
        return timedelta(seconds=3 * self.settings.scheduler.check_lease_seconds)

    @cached_property
    def checks(self) -> Checks:
        """The use case behind ``check_cards``."""
        hint = timedelta(seconds=self.settings.scheduler.hint_seconds)
        # Where nobody can report to us, nothing can ever be confirmed.
        silent = self.settings.guardian.silent and self.settings.web.public_url is not None
        return Checks(self.engine, self.rules, hint, silent, self.settings.holdout.own)

    @cached_property
    def life(self) -> Life:
        """The use case behind `vigencia cards renew` and its like."""
        return Life(self.engine, self.rules)

    @property
    def undo_for(self) -> timedelta:
        """How long a person may take back what was entered in a page."""
        return timedelta(seconds=self.settings.life.undo_seconds)

    @cached_property
    def undoing(self) -> Undoing:
        """The use case behind `vigencia cards undo`."""
        return Undoing(self.engine, self.rules)

    @cached_property
    def telling_again(self) -> TellingAgain:
        """The use case behind `vigencia cards tell-again` and `vigencia messages again`."""
        return TellingAgain(self.engine, self.rules)

    @cached_property
    def decisions(self) -> Decisions:
        """The use case behind `vigencia messages retry` and its like."""
        return Decisions(self.engine, self.retry)

    @cached_property
    def signer(self) -> Signer | None:
        """Signs links; none without SECRET_KEY, except where nothing leaves this machine."""
        keys = keys_in(self.settings.secret_key)
        if not keys and self.gateways.sandboxed:
            keys = [sandbox.SECRET_KEY]
        former = keys_in(self.settings.secret_key_previous) if keys else []
        return Signer(tuple(key.encode() for key in keys + former)) if keys else None

    @cached_property
    def links(self) -> Links | None:
        """What messages let a holder answer with; none without an address of ours to answer to."""
        base = self.settings.web.public_url
        return Links(base, self.signer) if base and self.signer else None

    @cached_property
    def consent(self) -> Consent:
        """Who is not to be written to, by word of the holder or of a person."""
        return Consent(self.engine)

    @cached_property
    def stopping(self) -> Stopping:
        """The use case behind the links to stop messages, and to have them again."""
        return Stopping(self.engine, self.rules, self.consent)

    @cached_property
    def answers(self) -> Answers:
        """The use case behind "I have topped up" and "remind me tomorrow"."""
        return Answers(self.engine, self.rules)

    @cached_property
    def renewals(self) -> RenewalAnswers:
        """The use case behind "it works" and "it does not work"."""
        return RenewalAnswers(self.engine, self.rules)

    @cached_property
    def paced(self) -> bool:
        """Is any sender bound to a pace?"""
        return bool(rates(self.settings, self.gateways))

    @property
    def breaker(self) -> BreakerPolicy:
        """When a breaker opens, and for how long."""
        own = self.settings.breaker
        return BreakerPolicy(
            timedelta(seconds=own.probe_seconds),
            timedelta(seconds=own.longest_seconds),
            own.filtered_of,
            own.filtered_share,
        )

    @cached_property
    def limits(self) -> Limits:
        """What bounds sending. Raises ``ConfigError`` for a cap on spending without prices."""
        caps = self.settings.caps
        return Limits(
            self.breaker,
            Caps(caps.per_address_per_day, caps.per_book_per_day, caps.spend_per_day),
            load_tariff(config_dir(), needed=caps.spend_per_day is not None),
            open_pace(self.settings),
            rates(self.settings, self.gateways),
            _GATHER,
        )

    @cached_property
    def delivery(self) -> Delivery:
        """The use case behind ``send_sms`` and ``send_email``."""
        own = self.settings.delivery
        return open_delivery(
            self.engine,
            self.rules,
            self.content,
            self.gateways.open(self.transport, self.now),
            self.retry,
            self.limits,
            lease=timedelta(seconds=own.lease_seconds),
            in_flight=own.in_flight,
            links=self.links,
            reply_to=self.settings.email.reply_to,
            live=self.gateways.live,
            played=self.now if self.settings.clock_file else None,
        )

    @cached_property
    def reconciliation(self) -> Reconciliation:
        """The use case behind ``reconcile``."""
        return Reconciliation(self.engine, self.lists, self.retry, self.breaker)

    @cached_property
    def receipts(self) -> Receipts:
        """The use case behind the providers' reports."""
        return Receipts(self.engine, self.retry, self.breaker)

    @cached_property
    def fetching(self) -> Fetching:
        """The use case behind ``fetch``."""
        return Fetching(self.engine, self.lists, self.receipts)

    def listening(self, lists: Mapping[str, Hearing]) -> Listening | None:
        """The use case that reads what came in from the providers' ``lists``; none where that is
        not wanted, or where no holder could write: with a sandbox that nobody was told to listen
        to."""
        seconds, own = self.settings.receipts.inbound_seconds, self.gateways
        deaf = own.sandboxed and self.settings.web.public_url is None
        silent = not any(one.provider.hears for one in own.own.values())
        if not seconds or silent or deaf:
            return None
        return Listening(self.engine, lists, self.consent, timedelta(seconds=seconds))

    @property
    def release(self) -> Release:
        """The use case behind `vigencia db release`."""
        renderer = Renderer(self.content, self.rules, self.links)
        texts = Texts(renderer, self.gateways.sender(Channel.SMS) or "")
        return Release(self.engine, texts, self.lists, self.heard, self.consent, self.retry)

    @cached_property
    def retention(self) -> Retention:
        """The use case behind `vigencia retention run`."""
        own = self.settings.retention
        days = (own.content_days, own.address_days, own.proof_days)
        return Retention(self.engine, Periods(*(timedelta(days=number) for number in days)))

    @property
    def lists(self) -> Mapping[str, Searchable]:
        """The providers that can be asked what they took, by name."""
        return searchable(self.delivery.providers)

    @property
    def heard(self) -> Mapping[str, Hearing]:
        """The providers that can be asked what people wrote to us, by name."""
        return hearing(self.delivery.providers)

    async def close(self) -> None:
        """Close what is open in the running loop."""
        await self.transport.close()
        await asyncio.to_thread(self.engine.dispose)


def build(
    settings: Settings | None = None, *, serves: bool = False, make_folder: bool = True
) -> App:
    """Read settings and rules and open the database. ``serves``: the process runs on, so no
    statement may keep it for ever. ``make_folder``: see ``open_engine``. Raises
    ``ConfigError``."""
    settings = settings or load()
    require_address(settings.redis_url)
    own = settings.database
    bounds = (
        StatementTimeouts(own.statement_seconds, own.lock_seconds, own.idle_seconds)
        if serves
        else None
    )
    if serves:
        load_countries()
    password = settings.database_password
    clock = file_clock(settings.clock_file) if settings.clock_file else system_clock
    return App(
        settings=settings,
        rules=load_rules(config_dir()),
        gateways=choose(settings),
        engine=open_engine(
            settings.database_url.get_secret_value(),
            password=password.get_secret_value() if password else None,
            bounds=bounds,
            make_folder=make_folder,
        ),
        now=clock,
    )


def build_ready(settings: Settings | None = None, *, serves: bool = False) -> App:
    """An app whose database has this version's tables; see ``build``. That a database was made
    because there was none is told: in another directory there may be the one that was meant."""
    app = build(settings, serves=serves)
    if require_current(app.engine):
        where = Path(app.engine.url.database or "").resolve()
        sys.stderr.write(f"A new, empty database was made: {where}\n")
    return app


def require_sandbox(app: App) -> None:
    """Raise ``UnreachableError`` if messages would go to a sandbox that does not answer."""
    if not app.gateways.sandboxed:
        return
    url = next(o.account.address for o in app.gateways.own.values() if o.provider.own_url)
    try:
        with urllib.request.urlopen(f"{url}/sandbox/health", timeout=5):  # noqa: S310 - loopback
            return
    except (URLError, OSError):
        raise UnreachableError(
            f"No provider credentials are set, and no sandbox answers at {url}.",
            "Start one in another terminal: vigencia sandbox",
        ) from None
