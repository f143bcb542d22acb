"""The client of Elasticsearch: TLS verified by default, no secret in what it prints, every failure one line for people.

What a request may raise:
- `Busy`: the server takes no more for now (429, also the block of a disk that is nearly full): slow down, try again;
- `StoreUnavailable`: it does not answer, or refuses us, and what to do about it. That a key has expired is of this kind too:
  it can be mended on the server while we run, and until then everything waits as when the server is away;
- `ConflictError`, `NotFoundError`, `BadRequestError` (409, 404, 400) of the library, which mean something to the caller. They are
  `StoreUnavailable` as well, for callers to whom they do not, and only Elasticsearch itself causes them: not a proxy's 404.
`connect` itself sends nothing; it raises `ConfigError` for settings that cannot work.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from elastic_transport import ApiResponse, OrjsonSerializer, TransportError
from elasticsearch import ApiError, Elasticsearch, NotFoundError
from elasticsearch.serializer import NdjsonSerializer

from soc.errors import ConfigError
from soc.store.elastic.explain import ShardMissing, explain

__all__ = ["Client", "NotFoundError", "connect", "nodes"]

_TIMEOUT_S = 30.0
_NOT_A_URL = "store.url is not a URL, or one of several is not: write https://elastic.example:9200"
# The API answers from up to 40 threads; more connections than these are opened and closed again.
_CONNECTIONS = 40
# Between tries while a part of an index is missing. Searches want all parts, and an index that was made this moment, by the first
# document of a month or a province, has none yet.
_PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.0)


class _Json(OrjsonSerializer):
    mimetype = "application/vnd.elasticsearch+json"


class _Ndjson(NdjsonSerializer):
    mimetype = "application/vnd.elasticsearch+x-ndjson"

    def json_dumps(self, data: Any) -> bytes:
        return orjson.dumps(data)

    def json_loads(self, data: bytes) -> Any:
        return orjson.loads(data)


class Client(Elasticsearch):
    """Elasticsearch whose failures are ours: see above. `.options(...)` gives clients of the same class."""

    def perform_request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any | None = None,
        endpoint_id: str | None = None,
        path_parts: Mapping[str, Any] | None = None,
    ) -> ApiResponse[Any]:
        pauses = iter(_PAUSES_S)
        while True:
            try:
                return super().perform_request(
                    method,
                    path,
                    params=params,
                    headers=headers,
                    body=body,
                    endpoint_id=endpoint_id,
                    path_parts=path_parts,
                )
            except (ApiError, TransportError) as error:
                known = explain(error, self.where())
                pause_s = next(pauses, None) if isinstance(known, ShardMissing) else None
                if pause_s is None:
                    raise known from None
            time.sleep(pause_s)

    def where(self) -> str:
        """The servers, for messages: scheme, host and port."""
        return ", ".join(sorted(node.base_url for node in self.transport.node_pool.all()))


def connect(
    url: str,
    *,
    ca_file: Path | None = None,
    api_key: str = "",
    user: str = "",
    password: str = "",
    verify_certs: bool = True,
    timeout_s: float = _TIMEOUT_S,
) -> Client:
    """A client for the cluster at `url` (several nodes: several URLs, separated by spaces or commas). Safe to share between
    threads. Sends nothing; raises `ConfigError` for settings that cannot work."""
    hosts = nodes(url)
    secure = all(host.startswith("https:") for host in hosts)
    options: dict[str, Any] = {}
    if api_key and (user or password):
        raise ConfigError("store.api_key and store.user are both set: use one of them, best the key")
    if bool(user) != bool(password):
        raise ConfigError("store.user and store.password belong together: set both, or better store.api_key")
    if api_key:
        options["api_key"] = _header_safe(api_key, "store.api_key")
    elif user:
        options["basic_auth"] = (user, password)
    if secure:
        options |= _tls(ca_file, verify_certs)
    elif ca_file is not None:
        raise ConfigError("store.ca_file is set, but store.url does not start with https://")
    # Its warnings repeat, in the words of a library, what becomes an error of ours or was mended by another node.
    logging.getLogger("elastic_transport").setLevel(logging.ERROR)
    return Client(
        hosts,
        serializers={kind.mimetype: kind() for kind in (_Json, _Ndjson)},
        request_timeout=timeout_s,
        connections_per_node=_CONNECTIONS,
        # Another node at once when one is gone. Not on 429: whoever is told to slow down has to wait first.
        max_retries=3,
        retry_on_status=(502, 503, 504),
        retry_on_timeout=False,
        **options,
    )


def nodes(url: str) -> list[str]:
    """The URLs in `store.url`. Raises `ConfigError`, whose message never repeats the value: a password may be in it, also where
    nothing can be told apart as one."""
    if "@" in url:
        raise ConfigError(
            "store.url holds a user or password: put them into store.api_key, or store.user and store.password"
        )
    hosts = url.replace(",", " ").split()
    if not hosts:
        raise ConfigError("store.url is empty")
    for host in hosts:
        try:
            part = urlsplit(host)
            named = part.hostname
            port = part.port or {"https": 443, "http": 80}.get(part.scheme)
        except ValueError:
            raise ConfigError(_NOT_A_URL) from None
        if part.scheme not in ("http", "https") or not named or port is None:
            raise ConfigError(_NOT_A_URL)
    if len({host.partition(":")[0] for host in hosts}) > 1:
        raise ConfigError("store.url mixes http and https: use https for all")
    return [_with_port(host) for host in hosts]


def _with_port(host: str) -> str:
    """The library wants the port even where it is the usual one."""
    part = urlsplit(host)
    if part.port is not None:
        return host
    return part._replace(netloc=f"{part.netloc.rstrip(':')}:{443 if part.scheme == 'https' else 80}").geturl()


def _tls(ca_file: Path | None, verify_certs: bool) -> dict[str, Any]:
    if not verify_certs:
        return {"verify_certs": False, "ssl_show_warn": False}  # `soc doctor` warns
    if ca_file is None:
        return {}
    try:
        text = ca_file.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise ConfigError(f"store.ca_file: {ca_file} cannot be read: {error.strerror}") from None
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise ConfigError(f"store.ca_file: {ca_file} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
    return {"ca_certs": str(ca_file)}


def _header_safe(secret: str, name: str) -> str:
    if not secret.isascii() or any(sign.isspace() for sign in secret):
        raise ConfigError(f"{name} holds a space, a line break or a letter that no key has: copy it again")
    return secret
