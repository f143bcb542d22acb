"""What people decided, one record an alert: its state and its whole history, changed only by who has seen its last state.

The record (index `triage`) is the truth. The alert's document carries a copy for filters and counts, written after it; an analyst's
click and a new finding change different fields of that document and meet for no longer than one try.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any

from elasticsearch import ConflictError, NotFoundError

from soc.errors import NotFound
from soc.model.alert import Change, Decision, Status, Triage, Verdict
from soc.store.decision import decided
from soc.store.elastic import names
from soc.store.elastic.client import Client
from soc.store.elastic.documents import Json, decide, read, too_contended

_TRIES = 20
_STATE = tuple(field.name for field in fields(Triage))


class ElasticTriage:
    """`TriageStore` on Elasticsearch. `org_of`: the organisation of an alert, None when there is no such alert."""

    def __init__(self, client: Client, org_of: Callable[[str], str | None]) -> None:
        self._client = client
        self._org_of = org_of

    def change(self, alert_id: str, decision: Decision, *, by: str, now: int) -> Triage:
        org = self._org_of(alert_id)
        if org is None:
            raise NotFound(f"there is no alert {alert_id}")

        def made(known: Json | None) -> Json | None:
            old = triage_of(known) if known else Triage()
            new, changes = decided(alert_id, old, decision, by=by, now=now)
            if not changes:
                return None
            history = (known["history"] if known else []) + [line(change) for change in changes]
            return asdict(new) | {"alert_id": alert_id, "org": org, "history": history}

        # Nobody searches the records (the copy is for that), so they need no refresh.
        record = decide(self._client, names.triage(org), alert_id, made, f"alert {alert_id}", refresh=False)
        if not record:
            return Triage()
        copy_triage(self._client, alert_id, record)
        return triage_of(record)

    def history(self, alert_id: str) -> list[Change]:
        org = self._org_of(alert_id)
        record = read(self._client, names.triage(org), alert_id) if org is not None else None
        return [Change(alert_id, *line) for line in record.source["history"]] if record else []


def triage_of(source: Json) -> Triage:
    """Records of an older govsoc lack some."""
    known: dict[str, Any] = {name: source.get(name) for name in _STATE}
    verdict = known["verdict"]
    return Triage(**known | {"status": Status(known["status"]), "verdict": Verdict(verdict) if verdict else None})


def copied(triage: Triage | Json) -> Json:
    """What an alert's document repeats of the triage."""
    known: dict[str, Any] = asdict(triage) if isinstance(triage, Triage) else triage
    return {name: known.get(name) for name in _STATE}


def copy_triage(client: Client, alert_id: str, record: Json) -> None:
    """Bring the copy in the alert's document up to the record; one that is newer stays. May be repeated.

    Found by lists at once (refresh): it costs a few ms, a click waits for it, and nobody else does.
    """
    index = names.alerts(record["org"])
    for _ in range(_TRIES):
        over = read(client, index, alert_id)
        if over is None or over.source["triage"]["version"] >= record["version"]:
            return
        try:
            client.update(index=index, id=alert_id, doc={"triage": copied(record)}, refresh=True, **over.unchanged)
        except ConflictError:  # a finding came in, or another decision
            continue
        except NotFoundError:
            return
        return
    raise too_contended(f"alert {alert_id}")


def line(change: Change) -> list[Any]:
    """Of a history, as it is kept."""
    return [change.at, change.by, change.field, change.old, change.new]
