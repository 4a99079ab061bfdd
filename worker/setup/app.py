"""Every use case of a process, put together on first use."""

from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property

from worker.core.cards import Channel
from worker.pipeline.accounts.accounts import Accounts
from worker.pipeline.accounts.people import People
from worker.pipeline.answers.deadlines import Answers
from worker.pipeline.answers.renewals import RenewalAnswers
from worker.pipeline.answers.stopping import Stopping
from worker.pipeline.check import Checks
from worker.pipeline.consent import Consent
from worker.pipeline.decisions import Decisions
from worker.pipeline.delivery import Delivery, open_delivery
from worker.pipeline.delivery.rendering import Renderer
from worker.pipeline.events import Life
from worker.pipeline.receipts import Fetching, Listening, Receipts, Reconciliation
from worker.pipeline.receipts.restored import Release, Texts
from worker.pipeline.retention import Periods, Retention
from worker.pipeline.telling_again import TellingAgain
from worker.pipeline.undoing import Undoing
from worker.providers.base import Hearing, Searchable
from worker.providers.choice import hearing, searchable
from worker.setup.parts import Parts
from worker.setup.settings import keys_in


class App(Parts):
    """What the doors and processes call: a use case each, made of the parts of this process."""

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
    def accounts(self) -> Accounts:
        """The use case behind signing in to the console."""
        keys = keys_in(self.settings.secret_key)
        return Accounts(self.engine, keys[0].encode() if keys else b"")

    @cached_property
    def people(self) -> People:
        """The use case behind `vigencia users`."""
        return People(self.engine, self.settings.book.time_zone)

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
