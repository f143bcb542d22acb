"""What a failed request means, in one line for people: what, where, what to do. Never a stack trace, never a secret."""

from __future__ import annotations

import re
from typing import Any

from elastic_transport import ConnectionError as LostError
from elastic_transport import ConnectionTimeout, TlsError, TransportError
from elasticsearch import ApiError, BadRequestError, ConflictError, NotFoundError, UnsupportedProductError

from soc.errors import Busy, SocError, StoreUnavailable

_RETRY_S = 5
_CERTIFICATE = (
    (
        "hostname mismatch|not valid for|doesn't match|does not match",
        "its certificate is for another name: use a name in store.url that the certificate holds, or have one made with this name",
    ),
    ("has expired", "its certificate has expired: renew it on the server"),
    ("not yet valid", "its certificate is not valid yet: look at the clocks of both machines"),
    (
        "certificate verify failed|unknown ca|self.signed|issuer",
        "its certificate is not signed by an authority we trust: set store.ca_file to the CA certificate of the cluster",
    ),
    (
        "wrong.version.number|record layer|http.request",
        "it does not speak TLS: write http:// in store.url, or switch TLS on there",
    ),
)
_NEW_KEY = "Make a new one (soc setup elasticsearch --renew-keys), put it into store.api_key and restart govsoc"
_PRIVILEGE = re.compile(r"action \[([^\]]+)\].*?is unauthorized", re.DOTALL)
_INDICES = re.compile(r"on indices \[([^\]]+)\]")


class SignedOut(StoreUnavailable):
    """It does not know us, or not any more."""


class NotAllowed(StoreUnavailable):
    """It knows us, and what we ask for is not among our privileges."""


class ShardMissing(StoreUnavailable):
    """A part of an index is not there: for the moment that an index takes to be made or to move, or lost with its node."""


class TooLarge(Busy):
    """The server itself takes no request of this size: smaller ones may do."""


class RefusedError(ApiError, StoreUnavailable):
    """Elasticsearch itself says no. Where that means something (a 404: there is none) the caller knows the library's class;
    everywhere else it is one line for people."""

    def __str__(self) -> str:
        return self.message


class _WrongError(RefusedError, BadRequestError):
    pass


class _MissingError(RefusedError, NotFoundError):
    pass


class _ChangedError(RefusedError, ConflictError):
    pass


_REFUSED: dict[int, type[RefusedError]] = {400: _WrongError, 404: _MissingError, 409: _ChangedError}


def explain(error: ApiError | TransportError, where: str) -> SocError:
    """Our error for one of the library's. Those that may mean something to the caller (400, 404, 409) are of its class as well,
    but only if Elasticsearch said so: a 404 of a proxy does not mean that there is no such document."""
    if isinstance(error, TransportError):
        return StoreUnavailable(f"Elasticsearch at {where}: {_transport(error)}")
    if isinstance(error, UnsupportedProductError):
        return StoreUnavailable(f"{where} is not Elasticsearch 8: look at store.url")
    status, (kind, reason) = error.meta.status, _cause(error.body)
    if known := _answer(status, kind, reason, where):
        return known
    if status == 413:
        return _too_large(error, where)
    if not _is_own(error):
        return StoreUnavailable(
            f"something between govsoc and Elasticsearch answers {status} at {where}: look at store.url, and at the proxy there"
        )
    said = ": ".join(_short(part) for part in (kind, reason) if part)
    message = f"Elasticsearch at {where} refuses a request ({status}{': ' * bool(said)}{said})"
    return _REFUSED.get(status, RefusedError)(message, error.meta, error.body, error.errors)


def _is_own(error: ApiError) -> bool:
    """Whether Elasticsearch itself answered, and nobody in between: it says so in a header, and gives its reasons in one form."""
    if error.meta.headers.get("x-elastic-product") == "Elasticsearch":
        return True
    return isinstance(error.body, dict) and isinstance(error.body.get("error"), dict)


def _too_large(error: ApiError, where: str) -> Busy:
    if _is_own(error) or not error.body:  # it may hang up before it has read enough to say more
        return TooLarge(f"Elasticsearch at {where} takes no request as large (http.max_content_length)", _RETRY_S)
    return Busy(
        f"something between govsoc and Elasticsearch answers 413 at {where}: it takes no request as large. Allow 10 MB there "
        "(nginx: client_max_body_size)",
        _RETRY_S,
    )


def refused(status: int, error: Any, where: str) -> SocError:
    """Our error for one action of a bulk request; `error` is what the server says of it."""
    kind, reason = _cause({"error": error})
    return _answer(status, kind, reason, where) or StoreUnavailable(
        f"Elasticsearch at {where} refuses a document ({_short(kind)}: {_short(reason)}): are its templates ours? `soc setup elasticsearch`"
    )


def _answer(status: int, kind: str, reason: str, where: str) -> SocError | None:
    if kind == "media_type_header_exception" or status == 406:
        return StoreUnavailable(
            f"Elasticsearch at {where} is too old or too new for this client: 8.15 or a later 8 is needed"
        )
    if status == 429 or kind == "cluster_block_exception":
        return _full(where, kind, reason)
    if status == 401:
        return SignedOut(f"Elasticsearch at {where} {_signed_out(reason)}")
    if status == 403:
        return NotAllowed(f"Elasticsearch at {where} {_forbidden(kind, reason)}")
    if kind == "no_shard_available_action_exception" or "missing shards" in reason:
        return ShardMissing(f"Elasticsearch at {where} is not ready: a part of an index is missing, or just being made")
    if status >= 500:
        return StoreUnavailable(f"Elasticsearch at {where} failed: {_short(reason or kind or str(status))}")
    return None


def _transport(error: TransportError) -> str:
    text = " ".join(map(str, (error, *error.errors))).lower()
    if isinstance(error, TlsError):
        for sign, meaning in _CERTIFICATE:
            if re.search(sign, text):
                return meaning
        return "the TLS handshake failed: look at store.url, store.ca_file and the server's certificate"
    if isinstance(error, ConnectionTimeout):
        return "no answer in time: it is overloaded, stopped, or a firewall is in between"
    if isinstance(error, LostError):
        if "refused" in text:
            return "nobody listens there: is it running, and is store.url right?"
        if "name or service not known" in text or "name resolution" in text or "nodename nor" in text:
            return "the name is unknown: look at store.url"
        if "remotedisconnected" in text or "without response" in text or "reset by peer" in text:
            return "it closed the connection without an answer: if it speaks TLS, write https:// in store.url"
        return "it cannot be reached: is it running, and is store.url right?"
    return f"the answer cannot be read ({type(error).__name__}): is there a proxy in between?"


def _cause(body: Any) -> tuple[str, str]:
    """Type and reason of the innermost cause that the server names."""
    node = body.get("error") if isinstance(body, dict) else None
    if isinstance(node, str):
        return "", node
    kind = reason = ""
    while isinstance(node, dict):
        kind, reason = str(node.get("type") or kind), str(node.get("reason") or reason)
        if tried := node.get("additional_unsuccessful_credentials"):  # what was wrong with a key
            reason = str(tried)
        roots = node.get("root_cause")
        node = node.get("caused_by") or (roots[0] if isinstance(roots, list) and roots else None)
    return kind, reason


def _full(where: str, kind: str, reason: str) -> SocError:
    if "flood-stage" in reason or "disk usage" in reason:
        return Busy(
            f"Elasticsearch at {where} takes no more: its disk is nearly full, indices are read-only. Free space there or "
            "shorten retention; it goes on by itself",
            _RETRY_S * 6,
        )
    if "read-only" in reason or "read_only" in reason:
        return Busy(
            f"Elasticsearch at {where}: the index is set to read-only; an administrator has to lift the block",
            _RETRY_S * 6,
        )
    if kind == "cluster_block_exception":
        return StoreUnavailable(f"Elasticsearch at {where} is not ready: {_short(reason)}")
    return Busy(f"Elasticsearch at {where} has more to do than it can: slow down", _RETRY_S)


def _signed_out(reason: str) -> str:
    text = reason.lower()
    if "expired" in text and "key" in text:
        return f"refuses the API key: it has expired. {_NEW_KEY}"
    if "invalidated" in text and "key" in text:
        return f"refuses the API key: it has been revoked. {_NEW_KEY}"
    if "missing authentication" in text:
        return "wants to know who we are: set store.api_key, or store.user and store.password"
    if "key" in text:
        return "does not know the API key: look at store.api_key"
    return "refuses the user or the password: look at store.user and store.password, or use store.api_key"


def _forbidden(kind: str, reason: str) -> str:
    if "license" in reason.lower():
        return f"needs another licence for this: {_short(reason)}"
    if found := _PRIVILEGE.search(reason):
        on = _INDICES.search(reason)
        what = f"{found[1]}" + (f" on {_short(on[1])}" if on else "")
        return f"does not let us do this: the key lacks the privilege for {what}. Give it the role from `soc setup elasticsearch`"
    return f"does not let us do this: {_short(reason or kind)}"


def _short(text: str) -> str:
    return " ".join(text.split())[:200]
