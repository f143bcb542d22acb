"""The bulk writer: events as the log holds them, to the indices that are functions of them, until each is acknowledged.

Every action is `create` under the event's own id, so a request whose answer was lost is simply sent again: 409 says that the
document is there already. What the server cannot take now is sent again, alone and more slowly; what it refuses for good
becomes a dead letter in the quarantine index with the server's reason, so that nothing is lost and nothing blocks the rest.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from elasticsearch import ApiError

from soc import telemetry
from soc.errors import Busy, SocError, StoreUnavailable
from soc.model.event import PIPELINE_ERROR, Fields, Stored, iso
from soc.store.elastic import names
from soc.store.elastic.added import added, plain
from soc.store.elastic.client import Client
from soc.store.elastic.explain import refused
from soc.store.elastic.fields import KNOWN
from soc.store.elastic.names import Period
from soc.store.elastic.patience import Patience

REQUEST_BYTES = 5 << 20
REQUEST_ROWS = 2000
_SMALLEST_BYTES = 64 << 10
# With a status for each action, because actions are told apart by their position alone.
_ANSWER = "items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by.reason"
_HEADERS = {"accept": "application/json", "content-type": "application/x-ndjson"}
_HOUR_MS = 3_600_000
_MOST_PLACES = 10_000
_REASON_CHARS = 500
_NO_TIME = "0" * 12  # an id that begins so lies in the quarantine
# 400 too, but for what the cluster or the index is like, not the document: it has to wait.
_NOT_THE_DOCUMENT = frozenset({"validation_exception", "index_closed_exception", "invalid_index_name_exception"})
_DEAD_LETTER_KEEPS = (
    "@timestamp",
    "event.id",
    "event.dataset",
    "event.original",
    "organization.id",
    "govsoc.source.id",
)


class Action(NamedTuple):
    """One document on its way: the event that it is made from, and its two lines of the request."""

    event: Stored
    lines: bytes
    dead: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """Actions ready to be sent: they are made ready while the request before is under way."""

    actions: Sequence[Action]
    body: bytes


@dataclass(slots=True)
class Written:
    """What became of the rows. `duplicates` were there already; `refused` are dead letters now."""

    created: int = 0
    duplicates: int = 0
    refused: int = 0


class StoppedError(SocError):
    """Told to stop before everything was acknowledged: the same rows have to be written again."""


class BulkWriter:
    """Writes rows of the event log. `prepare` and `write` may run at the same time, each in one thread."""

    def __init__(
        self, client: Client, period: Period, *, clock: Callable[[], int], max_bytes: int = REQUEST_BYTES
    ) -> None:
        self._client = client
        self._period: Period = period
        self._clock = clock
        self._most_bytes = self._bytes = max_bytes
        self._places: dict[tuple[int, str, str], bytes] = {}
        self._patience = Patience("writing events to the store")

    def prepare(self, events: Sequence[Stored]) -> Request:
        """Sends nothing."""
        place = self._place
        return _request([Action(e, b'%b%b"}}\n%b\n' % (place(e), e.id.encode(), _document(e.doc))) for e in events])

    def write(self, request: Request, stop: threading.Event, give_up_s: float = float("inf")) -> Written:
        """Returns once the server has acknowledged every document, however long that takes. May be repeated.

        Raises `StoppedError` when told to stop first, and the server's reason after `give_up_s` seconds without progress.
        """
        written, patience = Written(), self._patience
        waiting = deque([request])
        while waiting:
            sent, *pieces = self._cut(waiting.popleft())
            waiting.extendleft(reversed(pieces))
            later, trouble = self._send(sent, written)
            if later:
                waiting.append(_request(later))
            if len(later) < len(sent.actions):
                patience.progress()
            if trouble is None:
                self._bytes = min(self._bytes * 5 // 4, self._most_bytes)
                continue
            telemetry.INDEXER_RETRIES.inc(len(later))
            if isinstance(trouble, Busy):
                self._bytes = max(min(self._bytes, len(sent.body)) // 2, _SMALLEST_BYTES)
            if patience.stuck_s > give_up_s:
                raise trouble
            if stop.wait(patience.failed(trouble)):
                raise StoppedError("told to stop while events wait for the store")
        patience.done()
        return written

    def _send(self, request: Request, written: Written) -> tuple[list[Action], SocError | None]:
        """One request: the actions that have to be sent again, and why where the server could not take them."""
        try:
            with telemetry.INDEXER_REQUEST.time():
                answer = self._client.perform_request(
                    "POST", "/_bulk", params={"filter_path": _ANSWER}, headers=_HEADERS, body=request.body
                )
        except (Busy, StoreUnavailable) as error:
            return list(request.actions), error
        except ApiError as error:
            return self._send_halves(request, error, written)
        later: list[Action] = []
        trouble: SocError | None = None
        for action, item in zip(request.actions, answer.body["items"], strict=True):
            result = item["create"]
            status = result["status"]
            if status == 201:
                written.created += not action.dead
            elif status == 409:
                written.duplicates += not action.dead
            elif status == 400 and not action.dead and result["error"]["type"] not in _NOT_THE_DOCUMENT:
                written.refused += 1
                later.append(self._dead_letter(action.event, result["error"]))
            else:
                later.append(action)
                trouble = refused(status, result.get("error"), self._client.where())
        return later, trouble

    def _send_halves(self, request: Request, error: ApiError, written: Written) -> tuple[list[Action], SocError | None]:
        """The request as a whole was refused (400, 413), so something in it is to blame: halves of it find out what."""
        actions = request.actions
        if len(actions) > 1:
            middle = len(actions) // 2
            first, trouble = self._send(_request(actions[:middle]), written)
            second, more_trouble = self._send(_request(actions[middle:]), written)
            return first + second, trouble or more_trouble
        reason = error.body.get("error") if isinstance(error.body, dict) else None
        known = (
            reason
            if isinstance(reason, dict)
            else {"type": f"status {error.meta.status}", "reason": str(error.message)}
        )
        if actions[0].dead:
            return list(actions), refused(error.meta.status, known, self._client.where())
        written.refused += 1
        return [self._dead_letter(actions[0].event, known)], None

    def _dead_letter(self, event: Stored, error: dict[str, Any]) -> Action:
        """The event without what the server may have refused: its line, masked as it is, and the server's reason."""
        cause = error.get("caused_by") or {}
        reason = ": ".join(str(part) for part in (error.get("type"), error.get("reason"), cause.get("reason")) if part)
        whole = event.event.fields
        fields: Fields = {name: whole[name] for name in _DEAD_LETTER_KEEPS if name in whole}
        fields["event.kind"] = PIPELINE_ERROR
        fields["event.created"] = iso(self._clock())
        fields["error.message"] = f"the store refused this event: {' '.join(reason.split())[:_REASON_CHARS]}"
        header = {"create": {"_index": names.events(_NO_TIME, event.org, event.dataset, self._period), "_id": event.id}}
        lines = b"\n".join((orjson.dumps(header), orjson.dumps(fields | added(fields)), b""))
        return Action(event, lines, dead=True)

    def _place(self, event: Stored) -> bytes:
        """The action line of an event up to its id. Those of one hour, organisation and dataset share it."""
        key = (event.ts // _HOUR_MS if event.ts else -1, event.org, event.dataset)
        if (place := self._places.get(key)) is None:
            if len(self._places) >= _MOST_PLACES:
                self._places.clear()
            index = names.events(event.id, event.org, event.dataset, self._period)
            place = self._places[key] = f'{{"create":{{"_index":"{index}","_id":"'.encode()
        return place

    def _cut(self, request: Request) -> Iterator[Request]:
        """The request in pieces that the server takes at present."""
        if len(request.body) <= self._bytes or len(request.actions) == 1:
            yield request
            return
        piece: list[Action] = []
        room = self._bytes
        for action in request.actions:
            if piece and room < len(action.lines):
                yield _request(piece)
                piece, room = [], self._bytes
            piece.append(action)
            room -= len(action.lines)
        yield _request(piece)


def _request(actions: Sequence[Action]) -> Request:
    return Request(actions, b"".join([action.lines for action in actions]))


def _document(doc: bytes) -> bytes:
    """The document with what makes it findable; most need nothing."""
    fields = orjson.loads(doc)
    if plain(doc) and KNOWN.issuperset(fields):
        return doc
    more = added(fields)
    return orjson.dumps(fields | more) if more else doc
