"""What Filebeat's Elasticsearch output asks of a server, and no more of Elasticsearch: who are you, your licence, and bulk requests.

Filebeat has no output for plain HTTP. Its requests are as libbeat makes them (`esleg/eslegclient`, `outputs/elasticsearch`,
`licenser`): `GET /` for the version, `GET /_license`, `POST /_bulk` with pairs of lines. It sends again what is answered as a
whole with another status than 200, so a batch is taken as a whole or not at all.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import orjson

from collector.base import Record
from collector.body import RefusedError
from soc.model.event import Fields, flat

WHO = {
    "name": "govsoc",
    "cluster_name": "govsoc",
    "version": {
        "number": "8.19.7",
        "build_flavor": "default",
    },  # whatever Filebeat 8 and 9 send to that version suits us
    "tagline": "You Know, for Search",
}
LICENSE = {"license": {"status": "active", "uid": "govsoc", "type": "basic", "mode": "basic"}}
_ACTIONS = ("create", "index")
_FILE = ("log.file.fingerprint", "log.file.device_id", "log.file.inode", "log.file.path")


@dataclass(frozen=True, slots=True)
class Item:
    """One document of a bulk request: the action that it came with, and its record, or why there is none."""

    action: str
    record: Record | None
    problem: str | None = None

    @property
    def answer(self) -> dict[str, object]:
        if self.problem is None:
            return {self.action: {"status": 201}}
        return {self.action: {"status": 400, "error": {"type": "document_parsing_exception", "reason": self.problem}}}


def token_of(credentials: str) -> str:
    """The token in `Authorization: ApiKey <base64 of name:token>`; empty where there is none."""
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


def items(lines: Iterable[Record], prefix: str, digest: Callable[[bytes], str]) -> Iterator[Item]:
    """The documents of a bulk request, given its lines. Raises `RefusedError` where it is none.

    A document that says its file and offset has the same position whenever it is sent; others have their place in the request,
    which is named by `prefix`.
    """
    rest = iter(lines)
    for number, line in enumerate(rest):
        action = _action(line.line)
        document = next(rest, None)
        if document is None:
            raise RefusedError(400, "The bulk request ends with an action that has no document.")
        yield _item(action, document.line, f"{prefix}{number}", digest)


def _action(line: bytes) -> str:
    try:
        found = orjson.loads(line)
        [name] = found
    except (ValueError, TypeError):
        name = ""
    if name not in _ACTIONS:
        raise RefusedError(400, "A line of the bulk request is no action create or index.")
    return str(name)


def _item(action: str, line: bytes, place: str, digest: Callable[[bytes], str]) -> Item:
    try:
        document = orjson.loads(line)
        fields = flat(document) if isinstance(document, dict) else {}
    except ValueError:
        return Item(action, None, "the document is not JSON, nested too deeply, or longer than a line may be")
    message = fields.get("message")
    if not isinstance(message, str):
        return Item(action, None, "the document has no text field message")
    return Item(action, Record(message.encode(errors="surrogatepass"), _position(fields, digest) or place))


def _position(fields: Fields, digest: Callable[[bytes], str]) -> str | None:
    offset = fields.get("log.offset")
    names = [str(fields.get(name, "")) for name in _FILE]
    if not isinstance(offset, int) or not any(names):
        return None
    agent = str(fields.get("agent.id", ""))
    return f"{digest(chr(0).join([agent, *names]).encode(errors='surrogatepass'))}:{offset}"
