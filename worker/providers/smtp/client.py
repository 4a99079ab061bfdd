"""Email through any mail server that speaks SMTP (RFC 5321)."""

import asyncio
import re
import ssl
from collections.abc import Callable
from datetime import datetime
from typing import Final

from aiosmtplib import (
    SMTP,
    SMTPException,
    SMTPResponseException,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)

from worker.core.outcomes import Fault, Outcome, OutcomeKind, accepted, from_fault
from worker.providers.base import EmailOut
from worker.providers.fence import pass_or_raise
from worker.providers.mime import compose, on_the_wire
from worker.providers.smtp.outcomes import SmtpPhase, from_smtp, smtp_lost
from worker.providers.smtp.pool import Session, SmtpPool
from worker.providers.smtp.settings import SmtpSettings
from worker.providers.transport import Transport

_ENHANCED: Final = re.compile(r"([245]\.\d{1,3}\.\d{1,3})\b")
_DOT: Final = re.compile(rb"(?m)^\.")
_COMPLETED, _SEND_IT = 250, 354


class _Ended(Exception):  # noqa: N818 - an end of the dialogue, not an error of ours
    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.code)
        self.outcome = outcome


class SmtpProvider:
    """One mail server, one sender. What becomes of an email behind that server is not told:
    it stays ``sent``."""

    name = "smtp"

    def __init__(
        self, settings: SmtpSettings, transport: Transport, now: Callable[[], datetime]
    ) -> None:
        self._settings, self._now = settings, now
        self._pool = SmtpPool(settings, transport.connect_timeout, transport.read_timeout)
        # All that stands before the final dot: with the message itself it must end in a lease.
        self._patience = 4 * transport.read_timeout
        transport.also_close(self._pool.close)

    @property
    def sender(self) -> str:
        """See ``Provider``."""
        return self._settings.sender

    async def send(self, out: EmailOut) -> Outcome:
        """Send one email to one address."""
        try:
            mail = compose(out, self.sender, self._now())
        except ValueError:
            return Outcome(OutcomeKind.RECIPIENT_DEAD, "smtp:bad_address")
        try:
            async with self._pool.slot():
                return await self._dialogue(out, mail)
        except TimeoutError:
            return Outcome(OutcomeKind.NOT_SENT, "smtp:no_connection_free")

    async def _dialogue(self, out: EmailOut, mail: bytes) -> Outcome:
        session: Session | None = None
        kept = False
        try:
            async with asyncio.timeout(self._patience):
                session = await self._session()
                await self._envelope(session.client, on_the_wire(out.to))
            pass_or_raise()
            outcome = await _body(session.client, mail)
            kept = True
        except _Ended as ended:
            outcome = ended.outcome
            # A refused envelope is over and done with; after a fault nobody knows who speaks next.
            kept = outcome.kind is not OutcomeKind.NOT_SENT and "_421" not in outcome.code
        except TimeoutError:
            return smtp_lost(SmtpPhase.DATA, Fault.TIMEOUT)
        finally:
            if session is not None and kept and session.client.is_connected:
                self._pool.keep(session)
            elif session is not None:
                session.client.close()
        if outcome.kind is OutcomeKind.ACCEPTED:
            return accepted(f"smtp-{out.attempt}")
        return outcome

    async def _session(self) -> Session:
        if session := await self._pool.kept():
            return session
        try:
            session = await self._pool.connect()
        except SMTPResponseException as error:
            raise _Ended(_refused(SmtpPhase.CONNECT, error)) from None
        except (SMTPException, OSError) as error:
            raise _Ended(from_fault(_fault_of(error))) from None
        if self._settings.username is not None:
            await self._login(session.client)
        return session

    async def _login(self, client: SMTP) -> None:
        own = self._settings
        try:
            await client.login(own.username or "", own.password or "")
        except SMTPResponseException as error:
            client.close()
            raise _Ended(_refused(SmtpPhase.AUTH, error)) from None
        except (SMTPTimeoutError, SMTPServerDisconnected) as error:
            client.close()
            raise _Ended(smtp_lost(SmtpPhase.AUTH, _lost(error))) from None
        except SMTPException:  # it offers no AUTH, or none that we know
            client.close()
            raise _Ended(Outcome(OutcomeKind.CONFIG_FAULT, "smtp:no_auth", alarm=True)) from None

    async def _envelope(self, client: SMTP, to: str) -> None:
        """Everything up to the server's word that the message may come."""
        phase = SmtpPhase.MAIL
        try:
            await client.mail(self.sender)
            phase = SmtpPhase.RCPT
            await client.rcpt(to)
            phase = SmtpPhase.DATA
            reply = await client.execute_command(b"DATA")
            if reply.code != _SEND_IT:
                raise SMTPResponseException(reply.code, reply.message)
        except SMTPResponseException as error:
            raise _Ended(_refused(phase, error)) from None
        except (SMTPException, OSError) as error:
            raise _Ended(smtp_lost(phase, _lost(error))) from None


async def _body(client: SMTP, mail: bytes) -> Outcome:
    """Hand over the message. From the first byte on it may arrive, whatever we hear."""
    try:
        if client.protocol is None:
            raise SMTPServerDisconnected("Connection lost")
        client.protocol.write(_DOT.sub(b"..", mail) + b".\r\n")
    except (SMTPException, OSError) as error:
        raise _Ended(smtp_lost(SmtpPhase.DATA, _lost(error))) from None
    try:
        reply = await client.protocol.read_response(client.timeout)
    except (SMTPException, OSError) as error:
        client.close()
        if isinstance(error, SMTPResponseException):
            raise _Ended(from_fault(Fault.BROKEN_REPLY)) from None
        raise _Ended(from_fault(_lost(error))) from None
    if reply.code == _COMPLETED:
        return accepted("")
    raise _Ended(_refused(SmtpPhase.BODY, SMTPResponseException(reply.code, reply.message)))


def _refused(phase: SmtpPhase, error: SMTPResponseException) -> Outcome:
    """The outcome of a reply. Of its text only the enhanced code is looked at: the rest may name
    the recipient."""
    found = _ENHANCED.match(error.message.strip())
    return from_smtp(phase, error.code, found[1] if found else "")


def _lost(error: Exception) -> Fault:
    return Fault.TIMEOUT if isinstance(error, TimeoutError) else Fault.RESET


def _fault_of(error: BaseException) -> Fault:
    """Why there is no connection: a certificate that is refused, or STARTTLS that is not offered,
    needs a person."""
    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, ssl.SSLError):
            return Fault.TLS
        chain = chain.__cause__
    plain = isinstance(error, SMTPException) and not isinstance(error, OSError)
    return Fault.TLS if plain else Fault.CONNECT
