"""Webhooks: signed JSON by POST to one address that was looked at before; no redirect is followed.

The receiver checks `X-Govsoc-Signature: v1=<hex of HMAC-SHA256(secret, timestamp + "." + body)>`, refuses a timestamp that is old, and
drops an `X-Govsoc-Delivery` that it has had.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import orjson

from soc.notify.address import Network, Resolve, choose, resolve
from soc.notify.channel import Send, Undelivered
from soc.notify.message import Message
from soc.notify.route import Route

# Besides 5xx, answers that say: later.
_LATER = (408, 425, 429)
_READ_BYTES = 4096


class Webhooks:
    """The `Sender` of webhooks. `allowed`: networks that may be reached although they are not public. `clock`: ms since 1970.

    `timeout_s`: for the whole exchange, however slowly the other side answers.
    """

    def __init__(
        self,
        allowed: Sequence[Network],
        clock: Callable[[], int],
        *,
        timeout_s: float = 20.0,
        resolver: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allowed = allowed
        self._clock = clock
        self._timeout_s = timeout_s
        self._resolver = resolver
        self._tls = tls or ssl.create_default_context()

    @contextmanager
    def open(self, route: Route) -> Iterator[Send]:
        yield lambda message: self._send(route, message)

    def _send(self, route: Route, message: Message) -> str:
        parts = urlsplit(route.url)
        host, encrypted = str(parts.hostname), parts.scheme == "https"
        port = parts.port or (443 if encrypted else 80)
        address = choose(host, port, self._allowed, self._resolver, encrypted=encrypted)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection = _Fixed(host, port, address, self._timeout_s, self._tls if encrypted else None)
        cut = threading.Timer(self._timeout_s, connection.cut)
        cut.daemon = True
        cut.start()
        try:
            body = _json(message)
            connection.request("POST", target, body, signed(route.secret, body, self._clock(), message.id))
            with connection.getresponse() as answer:
                if connection.was_cut:  # what came of the headers until then would look like all of them
                    raise TimeoutError
                with suppress(OSError, http.client.HTTPException):
                    answer.read(_READ_BYTES)  # lets the other side finish a short answer; nobody is shown what it says
                return _judged(host, answer.status)
        except (OSError, http.client.HTTPException) as error:
            raise _unreachable(host, error, late=connection.was_cut) from None
        finally:
            cut.cancel()
            connection.close()


def signed(secret: str, body: bytes, now: int, delivery: str) -> dict[str, str]:
    """The headers of a request with this body. `now`: ms."""
    timestamp = str(now // 1000)
    return {
        "Content-Type": "application/json",
        "User-Agent": "govsoc",
        "Connection": "close",
        "X-Govsoc-Timestamp": timestamp,
        "X-Govsoc-Signature": f"v1={signature(secret, timestamp, body)}",
        "X-Govsoc-Delivery": delivery,
    }


def signature(secret: str, timestamp: str, body: bytes) -> str:
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _json(message: Message) -> bytes:
    """`<` is written as JSON's escape, so that a receiver who puts the body into a page is not hurt by it."""
    return orjson.dumps(message.data).replace(b"<", b"\\u003c")


class _Fixed(http.client.HTTPConnection):
    """A connection to the very address that was found allowed, while the name goes into `Host` and is what the certificate must say."""

    def __init__(self, host: str, port: int, address: str, timeout_s: float, tls: ssl.SSLContext | None) -> None:
        super().__init__(host, port, timeout=timeout_s)
        self.default_port = 443 if tls else 80  # decides whether `Host` names the port
        self._address = address
        self._wrap = tls
        self._open: socket.socket | None = None  # the base class forgets its own while the answer is still read
        self.was_cut = False

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        self._open = self.sock
        if self._wrap:  # the handshake comes after, so that `cut` finds the socket that is used
            self.sock = self._open = wrapped = self._wrap.wrap_socket(
                self.sock, server_hostname=self.host, do_handshake_on_connect=False
            )
            wrapped.do_handshake()
        if self.was_cut:
            raise TimeoutError

    def cut(self) -> None:
        """From another thread: whoever reads or writes gets an error."""
        self.was_cut = True
        try:
            if self._open:
                socket.socket.shutdown(self._open, socket.SHUT_RDWR)  # TLS has nothing to say about it
        except OSError:  # it has gone already
            return


def _judged(host: str, status: int) -> str:
    if 200 <= status < 300:
        return f"{host} answered {status}"
    if 300 <= status < 400:
        raise Undelivered(
            f"{host} answered {status}: it sends us elsewhere, and that is not followed: set the final URL"
        )
    if status in (401, 403):
        raise Undelivered(f"{host} answered {status}: it does not take our signature, or not this address")
    raise Undelivered(f"{host} answered {status}", again=status >= 500 or status in _LATER)


def _unreachable(host: str, error: OSError | http.client.HTTPException, *, late: bool) -> Undelivered:
    match error:
        case _ if late:
            return Undelivered(f"{host} did not answer in time", again=True)
        case TimeoutError():
            return Undelivered(f"{host} did not answer in time", again=True)
        case ssl.SSLCertVerificationError():
            return Undelivered(f"the certificate of {host} is not trusted: {error.verify_message}", again=True)
        case OSError() if error.strerror:
            return Undelivered(f"{host}: {error.strerror}", again=True)
    return Undelivered(f"{host} did not answer as a web server does", again=True)
