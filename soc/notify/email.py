"""Mails over SMTP: encrypted and verified unless told otherwise, one connection for the messages of a round."""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
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

_GOODBYE_S = 2.0

Security = Literal["starttls", "tls", "none"]


@dataclass(frozen=True, slots=True)
class Server:
    """`security`: `starttls`, `tls` from the first byte, or `none`, for a relay on this machine. `sender`: the address in From.

    `timeout_s`: for each mail, connecting included, however slowly the server answers.
    """

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
        connection: _Connection | None = None

        def send(message: Message) -> str:
            nonlocal connection
            connection = connection or self._connection()
            try:
                with connection.within(self._server.timeout_s):
                    if not connection.signed_in:
                        self._sign_in(connection)
                    return self._send(connection, route, message)
            except (OSError, smtplib.SMTPException) as error:  # ssl's errors are OSErrors
                raise _undelivered(TimeoutError() if connection.was_cut else error, self._where) from None

        try:
            yield send
        finally:
            if connection is not None:
                connection.leave()

    @property
    def _where(self) -> str:
        return f"{self._server.host}:{self._server.port}"

    def _connection(self) -> _Connection:
        """Not connected yet."""
        server = self._server
        if not server.host:
            raise Undelivered("no mail server is set: notify.smtp_host in the settings")
        return _Encrypted(server, _context(server)) if server.security == "tls" else _Connection(server)

    def _sign_in(self, connection: _Connection) -> None:
        server = self._server
        connection.connect(server.host, server.port)
        if server.security == "starttls":
            connection.starttls(context=_context(server))
        if server.user:
            connection.login(server.user, server.password)
        connection.signed_in = True

    def _send(self, connection: _Connection, route: Route, message: Message) -> str:
        letter = mail(message, self._server.sender, route.addresses, self._clock())
        refused = connection.send_message(letter, self._server.sender, list(route.addresses))
        if refused:  # who tried again for these would tell the others twice
            raise Undelivered(f"the others have it, {_named(refused)}", partly=True)
        return f"{self._where} took it for {route.target}"


class _Connection(smtplib.SMTP):
    """One that can be cut from another thread, whatever it waits for. `signed_in`: mails may be sent."""

    def __init__(self, server: Server) -> None:
        super().__init__(timeout=server.timeout_s)
        self._host = server.host  # what the certificate must say, as the base class notes it when it connects at once
        self._wire: socket.socket | None = None
        self.signed_in = False
        self.was_cut = False

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = socket.create_connection((host, port), timeout)
        self._wire = plain.dup()  # the other one is given away to TLS, and out of reach while that shakes hands
        if self.was_cut:
            raise TimeoutError
        return plain

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Whoever still waits for the server after so long gets an error, and the connection is of no more use."""
        cut = threading.Timer(seconds, self._cut)
        cut.daemon = True
        cut.start()
        try:
            yield
        finally:
            cut.cancel()

    def _cut(self) -> None:
        self.was_cut = True
        with suppress(OSError):  # it has gone already
            if self._wire:
                self._wire.shutdown(socket.SHUT_RDWR)

    def leave(self) -> None:
        try:
            if self.signed_in and not self.was_cut:
                with self.within(_GOODBYE_S), suppress(OSError, smtplib.SMTPException):
                    self.quit()
        finally:
            self.close()
            if self._wire:
                self._wire.close()


class _Encrypted(_Connection):
    """By TLS from the first byte."""

    def __init__(self, server: Server, context: ssl.SSLContext) -> None:
        super().__init__(server)
        self._context = context

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return self._context.wrap_socket(super()._get_socket(host, port, timeout), server_hostname=host)


def _context(server: Server) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(server.ca_file) if server.ca_file else None)


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
    """By all of them. Whoever refuses for now may take it later, also where another never will."""
    return Undelivered(_named(recipients), again=any(code < 500 for code, _ in recipients.values()))


def _named(recipients: dict[str, tuple[int, bytes]]) -> str:
    said = "; ".join(f"{address}: {code} {_said(text)}" for address, (code, text) in recipients.items())
    return f"not taken for {said}"


def _said(answer: bytes | str) -> str:
    return line(answer.decode(errors="replace") if isinstance(answer, bytes) else answer, 120)
