"""One document at a time: read it with its place in the order of changes, and replace it only if nobody else did meanwhile."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from elasticsearch import ConflictError, NotFoundError

from soc.errors import Busy
from soc.store.elastic.client import Client
from soc.store.elastic.explain import refused

Json = dict[str, Any]

REQUEST_BYTES = 5 << 20

_TRIES = 20
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Doc:
    """A document as it was read. `seq_no` and `term` name this very state of it."""

    index: str
    id: str
    source: Json
    seq_no: int
    term: int

    @property
    def unchanged(self) -> Json:
        """The condition of a write: nobody has changed the document since."""
        return {"if_seq_no": self.seq_no, "if_primary_term": self.term}


def read(client: Client, index: str, id_: str) -> Doc | None:
    """The document as it is now, also when no search would find it yet."""
    try:
        return _doc(client.get(index=index, id=id_).body)
    except NotFoundError:
        return None


def read_many(client: Client, places: Sequence[tuple[str, str]]) -> dict[str, Doc]:
    """Those of the (index, id) that exist, by id."""
    if not places:
        return {}
    answer = client.mget(docs=[{"_index": index, "_id": id_} for index, id_ in places])
    return {hit["_id"]: _doc(hit) for hit in answer["docs"] if hit.get("found")}


def _doc(hit: Mapping[str, Any]) -> Doc:
    return Doc(hit["_index"], hit["_id"], hit["_source"], hit["_seq_no"], hit["_primary_term"])


def write(client: Client, index: str, id_: str, source: Json, over: Doc | None, *, refresh: bool = True) -> bool:
    """Replace `over`, or create the document where that is None; False when somebody else was first.

    False may also mean that it was we ourselves: the first answer was lost and the request repeated.
    """
    try:
        if over is None:
            client.create(index=index, id=id_, document=source, refresh=refresh)
        else:
            client.index(index=index, id=id_, document=source, refresh=refresh, **over.unchanged)
    except ConflictError:
        return False
    return True


def change(client: Client, index: str, id_: str, changed: Callable[[Json | None], Json | None]) -> None:
    """Write what `changed` makes of the document there is (None: there is none); again when somebody else was first.

    `changed` may return None to leave it, and must give the same when applied twice, or an answer that was lost counts twice.
    """
    for _ in range(_TRIES):
        over = read(client, index, id_)
        source = changed(over.source if over else None)
        if source is None or write(client, index, id_, source, over):
            return
    raise too_contended(id_)


def decide(
    client: Client, index: str, id_: str, decided: Callable[[Json | None], Json | None], what: str, *, refresh: bool
) -> Json:
    """As `change`, for what may not be done twice, such as a line added to a history: the document bears the mark of the write, by which
    one whose answer was lost knows itself. Returns the document as it is then, where `decided` has made or left one.

    `what`: for people, such as `alert 12ab`. Raises what `decided` raises.
    """
    mark = secrets.token_hex(8)
    for _ in range(_TRIES):
        over = read(client, index, id_)
        if over and over.source["mark"] == mark:
            return over.source
        new = decided(over.source if over else None)
        if new is None:
            return over.source if over else {}
        source = new | {"mark": mark}
        if write(client, index, id_, source, over, refresh=refresh):
            return source
    raise too_contended(what)


def too_contended(what: str) -> Busy:
    return Busy(f"too many change {what} at once: try again", retry_after_s=1)


def bulk(client: Client, operations: Sequence[Json], *, refresh: bool = False) -> list[int]:
    """Send lines of actions and documents, in as few requests as the server takes; the status of each action, in order:
    2xx, 404 or 409.

    Any other status raises, as the same failure of a whole request would. What was done before that stays done.
    """
    statuses: list[int] = []
    for request in _requests(_actions(operations)):
        statuses += _send(client, request, refresh)
    return statuses


def _actions(operations: Sequence[Json]) -> Iterator[bytes]:
    """Each action with its document; a deletion has none."""
    lines = iter(operations)
    for action in lines:
        head = orjson.dumps(action) + b"\n"
        yield head if "delete" in action else head + orjson.dumps(next(lines)) + b"\n"


def _requests(actions: Iterator[bytes]) -> Iterator[list[bytes]]:
    request: list[bytes] = []
    room = REQUEST_BYTES
    for action in actions:
        if request and room < len(action):
            yield request
            request, room = [], REQUEST_BYTES
        request.append(action)
        room -= len(action)
    if request:
        yield request


def _send(client: Client, actions: Sequence[bytes], refresh: bool) -> list[int]:
    """One request; halves of it, one after the other, where the server can take nothing of the whole (429, 413)."""
    lines: Sequence[Any] = actions  # the library sends bytes as they are
    try:
        answer = client.bulk(operations=lines, refresh=refresh, filter_path="items.*.status,items.*.error")
    except Busy:
        if len(actions) == 1:
            raise
        middle = len(actions) // 2
        return _send(client, actions[:middle], refresh) + _send(client, actions[middle:], refresh)
    items = [next(iter(item.values())) for item in answer["items"]]
    for item in items:
        if item["status"] >= 300 and item["status"] not in (404, 409):
            raise refused(item["status"], item.get("error"), client.where())
    return [item["status"] for item in items]


def search_all(client: Client, index: str, query: Json, sort: str) -> Iterator[Json]:
    """Every document that matches, by the field `sort`, which has to be different in each of them."""
    after: list[Any] | None = None
    while True:
        answer = client.search(
            index=index,
            query=query,
            sort=[{sort: "asc"}],
            size=_PAGE,
            track_total_hits=False,
            ignore_unavailable=True,
            allow_partial_search_results=False,
            search_after=after,
        )
        hits = answer["hits"]["hits"]
        yield from (hit["_source"] for hit in hits)
        if len(hits) < _PAGE:
            return
        after = hits[-1]["sort"]


def drop(client: Client, index: str, query: Json) -> int:
    """Delete every document that matches, some at a time by their ids; returns how many. What begins to match meanwhile may go, too."""
    dropped = 0
    while True:
        answer = client.search(
            index=index,
            query=query,
            size=_PAGE,
            source=False,
            track_total_hits=False,
            ignore_unavailable=True,
            allow_partial_search_results=False,
        )
        hits = answer["hits"]["hits"]
        lines: list[Json] = [{"delete": {"_index": index, "_id": hit["_id"]}} for hit in hits]
        gone = sum(status < 300 for status in bulk(client, lines, refresh=True)) if lines else 0
        dropped += gone
        if not gone:  # another process drops the same, or nothing is left
            return dropped
