"""Mails over SMTP: encrypted and verified unless told otherwise, one connection for the messages of a round."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Literal

from soc.notify.channel import Send, Undelivered
from soc.notify.message import Message
from soc.notify.route import Route
from soc.notify.text import line

Security = Literal["starttls", "tls", "none"]


@dataclass(frozen=True, slots=True)
class Server:
    """`security`: `starttls`, `tls` from the first byte, or `none`, for a relay on this machine. `sender`: the address in From."""

    host: str
    port: int
    security: Security
    sender: str
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: Path | None = None
    timeout_s: float = 20.0


class Mailer:
    """The `Sender` of mails. `clock`: ms since 1970."""

    def __init__(self, server: Server, clock: Callable[[], int]) -> None:
        self._server = server
        self._clock = clock

    @contextmanager
    def open(self, route: Route) -> Iterator[Send]:
        connection: smtplib.SMTP | None = None

        def send(message: Message) -> str:
            nonlocal connection
            try:
                connection = connection or self._connect()
                return self._send(connection, route, message)
            except (OSError, smtplib.SMTPException) as error:  # ssl's errors are OSErrors
                raise _undelivered(error, self._where) from None

        try:
            yield send
        finally:
            if connection is not None:
                with suppress(OSError, smtplib.SMTPException):
                    connection.quit()

    @property
    def _where(self) -> str:
        return f"{self._server.host}:{self._server.port}"

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        if not server.host:
            raise Undelivered("no mail server is set: notify.smtp_host in the settings")
        context = ssl.create_default_context(cafile=str(server.ca_file) if server.ca_file else None)
        connection: smtplib.SMTP
        if server.security == "tls":
            connection = smtplib.SMTP_SSL(server.host, server.port, timeout=server.timeout_s, context=context)
        else:
            connection = smtplib.SMTP(server.host, server.port, timeout=server.timeout_s)
        try:
            if server.security == "starttls":
                connection.starttls(context=context)
            if server.user:
                connection.login(server.user, server.password)
        except BaseException:
            connection.close()
            raise
        return connection

    def _send(self, connection: smtplib.SMTP, route: Route, message: Message) -> str:
        letter = mail(message, self._server.sender, route.addresses, self._clock())
        refused = connection.send_message(letter, self._server.sender, list(route.addresses))
        if refused:  # the others have it; who tries again sends it to them once more
            raise _refused(refused)
        return f"{self._where} took it for {route.target}"


def mail(message: Message, sender: str, to: tuple[str, ...], now: int) -> EmailMessage:
    """`now`: ms. Raises no error whatever the message holds: its subject is one line, and the library encodes the rest."""
    letter = EmailMessage(policy=SMTP)
    letter["Subject"] = message.subject
    letter["From"] = sender
    letter["To"] = ", ".join(to)
    letter["Date"] = format_datetime(datetime.fromtimestamp(now / 1000, UTC))
    letter["Message-ID"] = f"<{message.id}@{sender.rpartition('@')[2] or 'govsoc'}>"
    letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday answer comes back
    letter["X-Govsoc-Delivery"] = message.id
    letter.set_content(message.text)
    letter.add_alternative(message.html, subtype="html")
    return letter


def _undelivered(error: OSError | smtplib.SMTPException, where: str) -> Undelivered:
    match error:
        case smtplib.SMTPRecipientsRefused():
            return _refused(error.recipients)
        case smtplib.SMTPAuthenticationError():
            return Undelivered(f"{where} does not take the user and password: notify.smtp_user", again=True)
        case smtplib.SMTPNotSupportedError():
            return Undelivered(f"{where} cannot do what the settings ask for: {error}", again=True)
        case smtplib.SMTPResponseException():
            # Only 5xx to the message itself is about the message; all else is mended on one of the servers.
            final = isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= 500
            return Undelivered(f"{where} answered {error.smtp_code} {_said(error.smtp_error)}", again=not final)
        case ssl.SSLCertVerificationError():
            return Undelivered(f"the certificate of {where} is not trusted: {error.verify_message}", again=True)
        case TimeoutError():
            return Undelivered(f"{where} did not answer in time", again=True)
        case OSError() if error.strerror:
            return Undelivered(f"{where}: {error.strerror}", again=True)
    return Undelivered(f"{where}: {error or type(error).__name__}", again=True)


def _refused(recipients: dict[str, tuple[int, bytes]]) -> Undelivered:
    said = "; ".join(f"{address}: {code} {_said(text)}" for address, (code, text) in recipients.items())
    return Undelivered(f"not taken for {said}", again=all(code < 500 for code, _ in recipients.values()))


def _said(answer: bytes | str) -> str:
    return line(answer.decode(errors="replace") if isinstance(answer, bytes) else answer, 120)
