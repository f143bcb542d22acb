"""The bulk writer: events as the log holds them, to the indices that are functions of them, until each is acknowledged.

Every action is `create` under the event's own id, so a request whose answer was lost is simply sent again: 409 says that the
document is there already. What the server cannot take now is sent again, alone and more slowly; what it refuses for good
becomes a dead letter in the quarantine index with the server's reason, so that nothing is lost and nothing blocks the rest.
Only Elasticsearch itself can refuse an event, and only for what is in it: what a proxy answers, or what refuses nearly all of
them, is for an administrator to mend, and until then they wait.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from elasticsearch import BadRequestError

from soc import telemetry
from soc.errors import Busy, SocError, StoreUnavailable
from soc.model.calendar import HOUR_MS
from soc.model.event import Stored
from soc.store.elastic import names
from soc.store.elastic.client import Client
from soc.store.elastic.documents import REQUEST_BYTES as REQUEST_BYTES
from soc.store.elastic.events.added import added, plain
from soc.store.elastic.events.dead_letter import dead_letter, reason
from soc.store.elastic.events.fields import KNOWN
from soc.store.elastic.explain import TooLarge, refused
from soc.store.elastic.names import Period
from soc.store.elastic.patience import Patience

REQUEST_ROWS = 2000
_SMALLEST_BYTES = 64 << 10
# With a status for each action, because actions are told apart by their position alone.
_ANSWER = "items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by.reason"
_HEADERS = {"accept": "application/json", "content-type": "application/x-ndjson"}
_MOST_PLACES = 10_000
# A 400 of these is for what is in the document. Any other may be for what the cluster or the index is like: it has to wait.
_THE_DOCUMENT = frozenset(
    {"document_parsing_exception", "mapper_parsing_exception", "strict_dynamic_mapping_exception"}
)
_LONG_TERM = ("immense term", "is too large, must be <=")  # of an `illegal_argument_exception`, which may be anything
# Refused together, it is rather the index that is wrong than so many documents.
_MANY_REFUSED = 20
_NEARLY_ALL = 0.9
_MOST_LETTERS = 2


class Action(NamedTuple):
    """One document on its way: the event that it is made from, and its two lines of the request.

    `letters`: how many dead letters have been made of it, 0 for the event itself.
    """

    event: Stored
    lines: bytes
    letters: int = 0


class _Refusal(NamedTuple):
    """An action that the server refuses for what is in it, and what it says of it."""

    action: Action
    error: dict[str, Any]


# What has to be sent again, and why where the server could not take it.
_Later = tuple[list[Action], SocError | None]


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
        return self._send(request, stop, give_up_s, self._judge)

    def offer(self, request: Request, stop: threading.Event, give_up_s: float = float("inf")) -> dict[str, str]:
        """As `write`, but of what the server refuses for good no dead letter is made: the reasons, by the event's id. Every other
        event of the request is acknowledged."""
        reasons: dict[str, str] = {}

        def leave(refusals: Sequence[_Refusal], _whole: int, _written: Written) -> _Later:
            reasons.update((action.event.id, reason(error)) for action, error in refusals)
            return [], None

        self._send(request, stop, give_up_s, leave)
        return reasons

    def _send(
        self,
        request: Request,
        stop: threading.Event,
        give_up_s: float,
        judge: Callable[[Sequence[_Refusal], int, Written], _Later],
    ) -> Written:
        written, patience = Written(), self._patience
        refusals: list[_Refusal] = []
        waiting = deque([request])
        while waiting:
            sent, *pieces = self._cut(waiting.popleft())
            waiting.extendleft(reversed(pieces))
            settled = len(sent.actions) + len(refusals)
            later, trouble = self._try(sent, written, refusals)
            if len(later) + len(refusals) < settled:
                patience.progress()
            if not (later or waiting) and refusals:  # each was tried: now it shows how many of them are refused
                later, trouble = judge(refusals, len(request.actions), written)
                refusals.clear()
            if later:
                waiting.append(_request(later))
            if trouble is None:
                self._bytes = min(self._bytes * 5 // 4, self._most_bytes)
                continue
            telemetry.INDEXER_RETRIES.inc(len(later))
            if isinstance(trouble, Busy):
                self._shrink(sent)
            if patience.stuck_s > give_up_s:
                raise trouble
            if stop.wait(patience.failed(trouble)):
                raise StoppedError("told to stop while events wait for the store")
        patience.done()
        return written

    def _judge(self, refusals: Sequence[_Refusal], whole: int, written: Written) -> _Later:
        """What to send in place of what was refused of a request of `whole` events, and why where it has to wait."""
        later: list[Action] = []
        trouble: SocError | None = None
        events = sum(refusal.action.letters == 0 for refusal in refusals)
        nearly_all = events >= _MANY_REFUSED and events > _NEARLY_ALL * whole
        for action, error in refusals:
            if action.letters < _MOST_LETTERS and not (nearly_all and action.letters == 0):
                written.refused += action.letters == 0
                later.append(self._dead_letter(action, error))
            else:
                later.append(action)
                why = refused(400, error, self._client.where())
                trouble = StoreUnavailable(f"nearly all events are refused, so they wait: {why}") if nearly_all else why
        return later, trouble

    def _try(self, request: Request, written: Written, refusals: list[_Refusal]) -> _Later:
        """One request: the actions that have to be sent again, and why where the server could not take them. What it refuses for
        good is added to `refusals`."""
        try:
            with telemetry.INDEXER_REQUEST.time():
                answer = self._client.perform_request(
                    "POST", "/_bulk", params={"filter_path": _ANSWER}, headers=_HEADERS, body=request.body
                )
        except (Busy, StoreUnavailable) as failure:
            if (said := _said(failure)) is None:
                return list(request.actions), failure
            if isinstance(failure, TooLarge):
                self._shrink(request)
            return self._try_halves(request, written, refusals, said)
        later: list[Action] = []
        trouble: SocError | None = None
        for action, item in zip(request.actions, answer.body["items"], strict=True):
            result = item["create"]
            status, error = result["status"], result.get("error") or {}
            if status == 201:
                written.created += action.letters == 0
            elif status == 409:
                written.duplicates += action.letters == 0
            elif status == 400 and _for_the_document(error):
                refusals.append(_Refusal(action, error))
            else:
                later.append(action)
                trouble = refused(status, error, self._client.where())
        return later, trouble

    def _try_halves(
        self, request: Request, written: Written, refusals: list[_Refusal], error: dict[str, Any]
    ) -> _Later:
        """The request as a whole was refused by Elasticsearch (400, 413), so something in it is to blame: halves of it find out
        what."""
        actions = request.actions
        if len(actions) == 1:
            refusals.append(_Refusal(actions[0], error))
            return [], None
        middle = len(actions) // 2
        first, trouble = self._try(_request(actions[:middle]), written, refusals)
        second, more_trouble = self._try(_request(actions[middle:]), written, refusals)
        return first + second, trouble or more_trouble

    def _shrink(self, request: Request) -> None:
        """The next requests are smaller."""
        self._bytes = max(min(self._bytes, len(request.body)) // 2, _SMALLEST_BYTES)

    def _dead_letter(self, action: Action, error: dict[str, Any]) -> Action:
        event = action.event
        fields = dead_letter(event, error, self._clock(), again=action.letters > 0)
        header = {
            "create": {"_index": names.events(names.NO_TIME, event.org, event.dataset, self._period), "_id": event.id}
        }
        lines = b"\n".join((orjson.dumps(header), orjson.dumps(fields | added(fields)), b""))
        return Action(event, lines, action.letters + 1)

    def _place(self, event: Stored) -> bytes:
        """The action line of an event up to its id. Those of one hour, organisation and dataset share it."""
        key = (event.ts // HOUR_MS if event.ts else -1, event.org, event.dataset)
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


def _said(error: SocError) -> dict[str, Any] | None:
    """What Elasticsearch says of a whole request that it refuses for what is in it; None for every other failure."""
    if isinstance(error, TooLarge):
        return {"type": "status 413", "reason": "too large for the server"}
    body = error.body if isinstance(error, BadRequestError) else None
    said = body.get("error") if isinstance(body, dict) else None
    return said if isinstance(said, dict) else None


def _for_the_document(error: dict[str, Any]) -> bool:
    """Whether a 400 is for what is in the document, so that it would be refused for ever."""
    if error.get("type") != "illegal_argument_exception":
        return error.get("type") in _THE_DOCUMENT
    cause = error.get("caused_by") or {}
    said = f"{error.get('reason')} {cause.get('reason')}"
    return any(sign in said for sign in _LONG_TERM)


def _request(actions: Sequence[Action]) -> Request:
    return Request(actions, b"".join([action.lines for action in actions]))


def _document(doc: bytes) -> bytes:
    """The document with what makes it findable; most need nothing."""
    fields = orjson.loads(doc)
    if plain(doc) and KNOWN.issuperset(fields):
        return doc
    more = added(fields)
    return orjson.dumps(fields | more) if more else doc
