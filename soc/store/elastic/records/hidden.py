"""How much exceptions hid: counted on the detector's machine in one step with its cursor, told to the server as totals.

A total may be told again and again. An organisation's events arrive at one detector, so a total has one writer.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from soc.buffer.database import Database
from soc.complaint import Complaint
from soc.errors import Busy, StoreUnavailable
from soc.model.org import Scope
from soc.model.tuning import Hidden
from soc.store.detections import Daily, oldest_day
from soc.store.elastic import names
from soc.store.elastic.client import Client
from soc.store.elastic.digest import digest
from soc.store.elastic.documents import Json, bulk, drop, search_all

log = structlog.get_logger("store")
_KEY = "rule_id = ? AND exception_id = ? AND org = ? AND day = ?"


class HiddenCounts:
    """The table `hidden` of `local`, and what the server has been told of it."""

    def __init__(self, client: Client, local: Database) -> None:
        self._client = client
        self._local = local
        self._daily = Daily()
        self._complaint = Complaint(log, "what exceptions hid is not told yet")

    def send(self) -> None:
        """Tell the server what it has not heard. Where it is away it hears it the next time: nothing else waits for that."""
        with self._local.read() as db:
            rows = db.execute("SELECT rule_id, exception_id, org, day, events FROM hidden WHERE unsent").fetchall()
        if not rows:
            return
        totals = [Hidden(*row) for row in rows]
        lines: list[Json] = []
        for total in totals:
            lines += ({"index": {"_index": names.HIDDEN, "_id": key(total)}}, document(total))
        try:
            bulk(self._client, lines, refresh=True)
        except (StoreUnavailable, Busy) as error:
            self._complaint.failed(error)
            return
        self._complaint.over()
        with self._local.write() as db:
            db.executemany(f"UPDATE hidden SET unsent = 0 WHERE {_KEY} AND events = ?", rows)

    def forget(self, now: int) -> None:
        """What is too old, once a day; here as well as on the server. Where that is away it is not asked again at each commit, which
        would hold up detection, but a day later."""
        if not self._daily.due(now):
            return
        self._daily.done(now)
        before = oldest_day(now)
        try:
            drop(self._client, names.HIDDEN, {"range": {"day": {"lt": before}}})
        except (StoreUnavailable, Busy) as error:
            self._complaint.failed(error)
            return
        with self._local.write() as db:
            db.execute("DELETE FROM hidden WHERE day < ?", (before,))


def read(client: Client, scope: Scope, since: str, rule_id: str | None) -> Sequence[Hidden]:
    """In order of rule, exception, organisation and day."""
    wanted: list[Json] = [{"range": {"day": {"gte": since}}}]
    if scope.orgs is not None:
        wanted.append({"terms": {"org": sorted(scope.orgs)}})
    if rule_id is not None:
        wanted.append({"term": {"rule_id": rule_id}})
    found = search_all(client, names.HIDDEN, {"bool": {"filter": wanted}}, "key")
    counts = [Hidden(one["rule_id"], one["exception_id"], one["org"], one["day"], one["events"]) for one in found]
    return sorted(counts, key=lambda one: (one.rule_id, one.exception_id, one.org, one.day))


def key(total: Hidden) -> str:
    return digest([total.rule_id, total.exception_id, total.org, total.day], size=12)


def document(total: Hidden) -> Json:
    return {
        "key": key(total),
        "rule_id": total.rule_id,
        "exception_id": total.exception_id,
        "org": total.org,
        "day": total.day,
        "events": total.events,
    }
