"""One probe: connect, ask, look at the answer, and say how it was. Nothing of an answer is kept but status, address, and days left."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from collector.probe.target import Target
from soc.errors import ConfigError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# (host, port) -> the addresses that it has; raises OSError.
Resolve = Callable[[str, int], Sequence[str]]

_BODY = 64 << 10  # bytes that are looked at for a text
_ANSWERS = 32  # addresses of a name that are kept
_TRIED = 4  # addresses of a name that are tried, one after the other
_LEAST_S = 0.05
_AGENT = "govsoc-probe"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`reason`: why it is down. `days_left` until the certificate expires; `answers`: the addresses of a name."""

    up: bool
    duration_ms: float
    reason: str = ""
    address: str = ""
    status: int | None = None
    days_left: int | None = None
    answers: tuple[str, ...] = ()


class StrayError(ConfigError):
    """A name leads to an address that may not be probed."""

    def __init__(self, reason: str, address: str) -> None:
        super().__init__(reason)
        self.address = address


def resolve(host: str, port: int) -> list[str]:
    """Of the families that this machine has, IPv4 first."""
    found = socket.getaddrinfo(host, port or None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return in_order({str(place[0]).partition("%")[0] for *_, place in found})


def in_order(addresses: Iterable[str]) -> list[str]:
    known = [ipaddress.ip_address(one) for one in addresses]
    return [str(one) for one in sorted(known, key=lambda one: (one.version, int(one)))]


class Checker:
    """`allowed`: the networks that may be probed; nothing else is connected to, and no redirect is followed.

    The address that was looked at is the one that is connected to, so that a name cannot lead elsewhere between the two.
    """

    def __init__(
        self, allowed: Sequence[Network], context: ssl.SSLContext | None = None, resolver: Resolve = resolve
    ) -> None:
        self._allowed = allowed
        self._context = context or ssl.create_default_context()
        self._lookups = Lookups(resolver)

    def check(self, target: Target) -> Outcome:
        """Takes as long as the target's time-out, at most. Raises `ConfigError` when it may not be probed."""
        if not self._allowed:
            raise ConfigError("collect.probe_networks is empty: no probe is made")
        began = time.monotonic()

        def took() -> float:
            return round((time.monotonic() - began) * 1000, 1)

        try:
            addresses = self._lookups.ask(target.host, target.port, target.timeout_s)
        except TimeoutError:
            return Outcome(False, took(), "the name does not resolve in time")
        except (OSError, UnicodeError):
            return Outcome(False, took(), "the name does not resolve")
        if not addresses:
            return Outcome(False, took(), "the name has no address")
        if target.kind == "dns":
            return Outcome(True, took(), answers=tuple(addresses[:_ANSWERS]))
        self._permit(target, addresses)
        return self._first_that_answers(target, addresses, began, took)

    def _permit(self, target: Target, addresses: Sequence[str]) -> None:
        """Every address of the name has to be allowed: with one bad among them, the next look could bring that one."""
        for text in addresses:
            address = ipaddress.ip_address(text)
            plain = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
            if not any((plain or address) in network for network in self._allowed):
                raise StrayError(f"{target.name}: {text} is not in collect.probe_networks, so it is not probed", text)

    def _first_that_answers(
        self, target: Target, addresses: Sequence[str], began: float, took: Callable[[], float]
    ) -> Outcome:
        """An address that cannot be connected to says nothing while there is another: each in turn, in its share of the time."""
        tried = addresses[:_TRIED]
        for number, address in enumerate(tried, 1):
            left = max(began + target.timeout_s - time.monotonic(), _LEAST_S)
            try:
                status, days_left, reason = self._connect(target, address, left, left / (len(tried) - number + 1))
            except _NotReachedError as failed:
                if number < len(tried):
                    continue
                return Outcome(False, took(), str(failed), address)
            except _FailedError as failed:
                return Outcome(False, took(), str(failed), address)
            return Outcome(not reason, took(), reason, address, status, days_left)
        raise AssertionError  # the last one has returned

    def _connect(
        self, target: Target, address: str, left_s: float, connect_s: float
    ) -> tuple[int | None, int | None, str]:
        """Status, days left, and what is not well."""
        with _deadline(left_s) as guard, _said(target, guard):
            try:
                sock = guard.mind(socket.create_connection((address, target.port), connect_s))
            except OSError as error:
                late = isinstance(error, TimeoutError)
                raise _NotReachedError(_no_answer(target) if late else _os_words(error)) from None
            sock.settimeout(left_s)
            days_left = None
            if target.encrypted:
                secure = self._context.wrap_socket(sock, server_hostname=target.host, do_handshake_on_connect=False)
                sock = guard.mind(secure)
                secure.do_handshake()
                days_left = _days_left(secure)
            if target.kind not in ("http", "https"):
                return None, days_left, ""
            status, reason = _ask(target, sock)
            if guard.over:  # what came by then is cut off, and says nothing of the text
                raise TimeoutError
            return status, days_left, reason


class Lookups:
    """Names to addresses within a time: nothing else ends a lookup. One that hangs is waited for by whoever asks next for that name, so
    that there are never more of them than names."""

    def __init__(self, resolver: Resolve) -> None:
        self._resolve = resolver
        self._lock = threading.Lock()
        self._asked: dict[tuple[str, int], Future[Sequence[str]]] = {}

    def ask(self, host: str, port: int, within_s: float) -> Sequence[str]:
        """Raises `TimeoutError`, and what the resolver raises."""
        with self._lock:
            answer = self._asked.get((host, port))
            if answer is None:
                answer = self._asked[host, port] = Future()
                threading.Thread(target=self._look, args=(host, port, answer), name=f"look {host}", daemon=True).start()
        return answer.result(within_s)

    def _look(self, host: str, port: int, answer: Future[Sequence[str]]) -> None:
        try:
            found = self._resolve(host, port)
        except Exception as error:  # noqa: BLE001 - it is raised where the answer is awaited
            self._done(host, port)
            answer.set_exception(error)
        else:
            self._done(host, port)
            answer.set_result(found)

    def _done(self, host: str, port: int) -> None:
        with self._lock:
            del self._asked[host, port]


def _ask(target: Target, sock: socket.socket) -> tuple[int, str]:
    connection = http.client.HTTPConnection(target.host, target.port, timeout=target.timeout_s)
    connection.sock = sock
    host = f"[{target.host}]" if ":" in target.host else target.host
    plain = target.port == (443 if target.encrypted else 80)
    headers = {
        "Host": host if plain else f"{host}:{target.port}",
        "User-Agent": _AGENT,
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    connection.request("GET", target.path, headers=headers)
    answer = connection.getresponse()
    low, high = target.status
    if not low <= answer.status <= high:
        return answer.status, f"the status is {answer.status}"
    if target.text and target.text not in answer.read(_BODY).decode(errors="replace"):
        return answer.status, "the text is not in the answer"
    return answer.status, ""


def _days_left(sock: ssl.SSLSocket) -> int | None:
    until = (sock.getpeercert() or {}).get("notAfter")
    return int((ssl.cert_time_to_seconds(until) - time.time()) // 86_400) if isinstance(until, str) else None


class _FailedError(Exception):
    """Down, for a reason that is said to people."""


class _NotReachedError(_FailedError):
    """There is no connection to this address."""


class _Guard:
    """Ends what takes longer than it may, also drop by drop."""

    def __init__(self) -> None:
        self.over = False
        self._sock: socket.socket | None = None

    def mind(self, sock: socket.socket) -> socket.socket:
        self._sock = sock
        if self.over:
            self.end()
        return sock

    def end(self) -> None:
        self.over = True
        if self._sock is not None:
            with suppress(OSError):  # not by the TLS socket's own method, which a handshake does not bear
                socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()


@contextmanager
def _deadline(timeout_s: float) -> Iterator[_Guard]:
    guard = _Guard()
    timer = threading.Timer(timeout_s, guard.end)
    timer.daemon = True
    timer.start()
    try:
        yield guard
    finally:
        timer.cancel()
        guard.close()


@contextmanager
def _said(target: Target, guard: _Guard) -> Iterator[None]:
    """Errors as people read them."""
    try:
        yield
    except _FailedError:
        raise
    except ssl.SSLCertVerificationError as error:
        raise _FailedError(f"certificate: {error.verify_message}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        if guard.over or isinstance(error, TimeoutError):
            raise _FailedError(_no_answer(target)) from None
        if isinstance(error, ssl.SSLError):
            raise _FailedError(f"TLS: {error.reason or 'failed'}") from None
        if isinstance(error, ConnectionError) and not isinstance(error, http.client.RemoteDisconnected):
            raise _FailedError(error.strerror or "the connection broke") from None
        if isinstance(error, http.client.HTTPException | ValueError):
            raise _FailedError("the answer is not HTTP") from None
        raise _FailedError(_os_words(error)) from None


def _no_answer(target: Target) -> str:
    return f"no answer within {target.timeout_s} s"


def _os_words(error: OSError) -> str:
    return error.strerror or "it cannot be reached"
