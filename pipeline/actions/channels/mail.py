"""Mail by SMTP: one message an action, to the customer or to a desk.

The Message-ID is made from the action's id, so that a second copy can be recognised. Off this machine the connection
is encrypted and the server's certificate checked, or nothing is sent. What the server answers is judged by its code
alone: its words often hold the recipient's address.
"""

import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from threading import Timer
from typing import Any

from pipeline.actions.channels import configuration
from pipeline.actions.channels.contacts import Contacts
from pipeline.actions.channels.letters import Letter, Letters
from pipeline.actions.outbox.delivery import Claimed
from pipeline.actions.outbox.outcome import DELIVERED, Outcome
from pipeline.errors import ActionError
from pipeline.policy import Policy
from pipeline.policy.actions import ActionChannel


class MailChannel:
    def __init__(
        self, server: configuration.MailServer, use: ActionChannel, policy: Policy, letters: Letters, contacts: Contacts
    ):
        self._server, self._use, self._types = server, use, policy.actions.types
        self._letters, self._contacts = letters, contacts
        self._smtp: smtplib.SMTP | None = None

    def close(self) -> None:
        if self._smtp is not None:
            with suppress(smtplib.SMTPException, OSError):
                self._smtp.quit()
            self._smtp = None

    def send(self, action: Claimed) -> Outcome:
        recipients = self._recipients(action)
        if not recipients:
            return Outcome("unreachable", "the customer has no mail address, or prefers another channel")
        try:
            message = composed(action, self._letters.write_for(action), self._server.sender, recipients)
        except ActionError as error:
            return Outcome("refused", str(error))
        with self._deadline():
            try:
                smtp = self._connected()
            except (smtplib.SMTPException, OSError) as error:
                self._drop()
                return Outcome("not_now", _no_connection(error))
            try:
                smtp.send_message(message)
            except (smtplib.SMTPException, OSError) as error:
                self._drop()
                return _judged(error)
        return DELIVERED

    @contextmanager
    def _deadline(self) -> Iterator[None]:
        """Break the connection off where an attempt outlasts its deadline: smtplib's timeout is that of each read."""
        timer = Timer(self._use.deadline_seconds, self._break_off)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _break_off(self) -> None:
        if self._smtp is not None and self._smtp.sock is not None:
            with suppress(OSError):
                self._smtp.sock.shutdown(socket.SHUT_RDWR)

    def _recipients(self, action: Claimed) -> list[Address]:
        to = self._types[action.action_type].to
        addresses = [self._contacts.mail_address(action.customer_id)] if to == "customer" else to or ()
        return [Address(addr_spec=address) for address in addresses if address]

    def _connected(self) -> smtplib.SMTP:
        """The open connection if it still answers, else a new one."""
        if self._smtp is not None:
            with suppress(smtplib.SMTPException, OSError):
                if self._smtp.noop()[0] == 250:
                    return self._smtp
            self._drop()
        is_implicit = self._server.tls == "implicit"
        smtp = _known_from_the_start(smtplib.SMTP_SSL if is_implicit else smtplib.SMTP, self._remember)(
            host=self._server.host,
            port=self._server.port,
            timeout=self._use.timeout_seconds,
            local_hostname=socket.gethostname(),
            **({"context": ssl.create_default_context()} if is_implicit else {}),
        )
        if self._server.tls == "starttls":
            smtp.starttls(context=ssl.create_default_context())
        if self._server.login:
            smtp.login(*self._server.login)
        return smtp

    def _remember(self, smtp: smtplib.SMTP) -> None:
        self._smtp = smtp

    def _drop(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None


def _known_from_the_start(kind: type[smtplib.SMTP], remember: Callable[[smtplib.SMTP], None]) -> Callable[..., Any]:
    """The class, of which an object is remembered before the server's greeting is read: that has a deadline too."""

    class Known(kind):  # type: ignore[valid-type,misc]
        def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
            self.sock = super()._get_socket(host, port, timeout)
            remember(self)
            return self.sock

    return Known


def composed(action: Claimed, letter: Letter, sender: Address, recipients: list[Address]) -> EmailMessage:
    """The message of an action; ActionError where its letter cannot be a mail."""
    message = EmailMessage(policy=SMTP)
    try:
        message["From"] = sender
        message["To"] = recipients
        message["Subject"] = letter.subject
        message["Date"] = format_datetime(datetime.now(UTC))
        message["Message-ID"] = f"<{action.action_id}@{sender.domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message["Content-Language"] = letter.language
        message.set_content(letter.text)
        if letter.html is not None:
            message.add_alternative(letter.html, subtype="html")
    except ValueError:
        raise ActionError("its letter cannot be put into a mail") from None
    return message


def _no_connection(error: Exception) -> str:
    """Why the server could not be used: a fault of the server or of the settings, not of the message."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"the mail server refused the login: {error.smtp_code}"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"the mail server answered {error.smtp_code}"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return "the mail server offers no STARTTLS, or no login"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the mail server's certificate is refused: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "the mail server does not answer"
    return f"the mail server cannot be reached: {getattr(error, 'strerror', None) or type(error).__name__}"


def _judged(error: Exception) -> Outcome:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code = max(code for code, _ in error.recipients.values())
        return _by_code(code, f"the mail server refused the recipient: {code}")
    if isinstance(error, smtplib.SMTPResponseException):
        return _by_code(error.smtp_code, f"the mail server answered {error.smtp_code}")
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return Outcome("refused", "the mail server takes no address of that alphabet")
    return Outcome("not_now", "the connection to the mail server broke off")


def _by_code(code: int, reason: str) -> Outcome:
    return Outcome("refused" if code >= 500 else "not_now", reason)
