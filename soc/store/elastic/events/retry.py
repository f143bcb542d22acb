"""Events that the server refused one by one, tried again at their right place: for when what refused them has been mended.

What the quarantine has of them are dead letters; the events themselves are in the event log of the machine that collected them.
A dead letter goes only when its event is acknowledged, so after any end the same call goes on where it was.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from soc.model.event import Stored
from soc.store.elastic import names
from soc.store.elastic.client import Client
from soc.store.elastic.documents import Json, bulk
from soc.store.elastic.events.bulk import BulkWriter

_QUARANTINE = names.quarantine(None)
_AT_ONCE = 200
_GIVE_UP_S = 300.0
# Those that the quarantine holds for want of a plausible time belong there, refused or not.
_REFUSED: Json = {"range": {"event.id": {"gte": names.FIRST_TIME}}}


@dataclass(slots=True)
class Retried:
    """What became of the dead letters. `indexed`: their events are at the right place now; `refused`: again, the last one for
    `reason`; `absent`: the event log has them not, being another machine's or shorter by now."""

    indexed: int = 0
    refused: int = 0
    absent: int = 0
    reason: str = ""


def retry(
    client: Client,
    writer: BulkWriter,
    logged: Callable[[Sequence[str]], list[Stored]],
    tell: Callable[[int, int], None],
) -> Retried:
    """Try every refused event again, some at a time. `logged`: those of the ids that the event log has; `tell`: how many are
    done, and how many there are. Raises `StoreUnavailable` and `Busy`, also after minutes without progress."""
    done, total, retried = 0, _count(client), Retried()
    tell(done, total)
    for ids in _pages(client):
        events = logged(ids)
        reasons = writer.offer(writer.prepare(events), threading.Event(), _GIVE_UP_S)
        indexed = [event for event in events if event.id not in reasons]
        bulk(client, [_delete(event) for event in indexed])
        retried.indexed += len(indexed)
        retried.refused += len(reasons)
        retried.absent += len(ids) - len(events)
        retried.reason = next(reversed(reasons.values()), retried.reason)
        done += len(ids)
        tell(done, max(done, total))
    return retried


def _count(client: Client) -> int:
    """Of the dead letters, also those written just now."""
    client.indices.refresh(index=_QUARANTINE)
    return int(client.count(index=_QUARANTINE, query=_REFUSED)["count"])


def _pages(client: Client) -> Iterator[list[str]]:
    """Ids of refused events, in their order."""
    after: list[str] | None = None
    while True:
        answer = client.search(
            index=_QUARANTINE,
            query=_REFUSED,
            sort=[{"event.id": "asc"}],
            size=_AT_ONCE,
            search_after=after,
            source=False,
            track_total_hits=False,
            allow_partial_search_results=False,
        )
        hits = answer["hits"]["hits"]
        if hits:
            yield [hit["_id"] for hit in hits]
        if len(hits) < _AT_ONCE:
            return
        after = hits[-1]["sort"]


def _delete(event: Stored) -> Json:
    [index] = names.quarantine([event.org])
    return {"delete": {"_index": index, "_id": event.id}}
