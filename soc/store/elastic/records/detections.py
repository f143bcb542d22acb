"""What the detector writes: findings and alert facts to Elasticsearch; correlation state and cursor to `detector.db` on this machine.

There is no transaction over both, so a commit goes in an order that can be repeated from any point:

    1  local   note the alerts of the batch as pending
    2  server  create the findings; the id is a function of the finding, so what is there already stays (409)
    3  server  write the facts of their alerts
    4  local   cursor and state move on, what was hidden and the ledger are counted, nothing is pending any more: one transaction
    5  server  what was hidden and the ledger, as they are counted here; what it did not hear it is told with a later commit

Why the facts are exact, whatever is repeated or crashes: an alert that is not pending has been written after its last finding, so
its facts are those of the set of its findings. Then only findings that are new may be *added* to it, and they are when all of the
batch were created now, at the first try, on the alert as it was read. In every other case (pending from a commit that did not
end, a finding that was there, an answer that was lost, an analyst's click in between) the facts are *counted* from the findings
that the server has. The state that the count replaces is read before counting, and the write is refused if it has changed since.
An alert has one detector: the one on whose machine its organisation's events arrive.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from soc.buffer.database import Database
from soc.model.alert import Triage
from soc.model.canary import Canary
from soc.model.finding import Finding
from soc.model.ledger import Entries
from soc.model.rule import RuleCost, RuleDoc, RuleFault, RulesInForce
from soc.model.tuning import Hidden
from soc.store import ledger as ledger_table
from soc.store.base import NO_ENTRIES
from soc.store.detections import SCHEMA, detections_file, move_on
from soc.store.elastic import names
from soc.store.elastic.client import Client
from soc.store.elastic.documents import Doc, Json, bulk, read_many, too_contended
from soc.store.elastic.records.hidden import HiddenCounts
from soc.store.elastic.records.ledger import LedgerCopy
from soc.store.elastic.records.rulebook import RuleBook
from soc.store.elastic.records.triage import copied

_FINDINGS_AT_ONCE = 2000
_ALERTS_AT_ONCE = 500
_TRIES = 20
_CREATED = 201


@dataclass(frozen=True, slots=True)
class _Facts:
    first: int
    last: int
    count: int

    def document(self) -> Json:
        return {"first_seen": self.first, "last_seen": self.last, "count": self.count}


@dataclass(frozen=True, slots=True)
class _Pending:
    """An alert whose facts have to be written. `seed`: its other fields; `fresh`: it was not there before its first finding."""

    seed: Json
    fresh: bool

    @property
    def place(self) -> tuple[str, str]:
        return names.alerts(self.seed["org"]), self.seed["id"]


class ElasticDetections:
    """`Detections` on Elasticsearch. After any error the same batch, or another one, may be committed."""

    def __init__(self, client: Client, data_dir: Path, rules: RuleBook, period: names.Period) -> None:
        self._client = client
        self._local = Database(detections_file(data_dir), SCHEMA)
        self._rules = rules
        self._period = period
        self._hidden = HiddenCounts(client, self._local)
        self._ledger = LedgerCopy(client, self._local)

    def cursor(self) -> Mapping[str, int]:
        with self._local.read() as db:
            return dict(db.execute("SELECT partition, position FROM cursor"))

    def state_get(self, key: str) -> bytes | None:
        row = self._local.row("SELECT value FROM state WHERE key = ?", key)
        return row[0] if row else None

    def publish(
        self, rules: Sequence[RuleDoc], faults: Sequence[RuleFault], in_force: RulesInForce | None = None
    ) -> None:
        self._rules.publish(rules, faults, in_force)

    def publish_costs(self, costs: Sequence[RuleCost]) -> None:
        self._rules.publish_costs(costs)

    def publish_canaries(self, canaries: Sequence[Canary]) -> None:
        self._rules.publish_canaries(canaries)

    def close(self) -> None:
        self._local.close()

    def commit(
        self,
        findings: Sequence[Finding],
        rules: Mapping[str, RuleDoc],
        state: Mapping[str, tuple[bytes, int]],
        cursor: Mapping[str, int],
        watermark: int | None,
        now: int,
        hidden: Sequence[Hidden] = (),
        ledger: Entries = NO_ENTRIES,
    ) -> list[str]:
        self._hidden.forget(now)  # at first: who dies in it has noted nothing
        self._ledger.forget(now)
        by_alert = _by_alert(findings)
        seeds = {id_: _seed(group[0], rules[group[0].rule_hash], now) for id_, group in by_alert.items()}
        before = self._pending(now)
        done: dict[str, _Pending] = {}
        if seeds or before:
            self._rules.keep_fired({seed["rule_hash"]: rules[seed["rule_hash"]] for seed in seeds.values()})
            done = self._store(by_alert, seeds, before)
        with self._local.write() as db:
            move_on(db, state, cursor, watermark, hidden)
            ledger_table.add(db, ledger, now, unsent=True)
            db.execute("DELETE FROM pending")
        self._hidden.send()
        self._ledger.send(now)
        return [id_ for id_, alert in done.items() if alert.fresh]

    def _store(
        self, by_alert: Mapping[str, Sequence[Finding]], seeds: Mapping[str, Json], before: Mapping[str, _Pending]
    ) -> dict[str, _Pending]:
        """Steps 1 to 3; returns the alerts whose facts are written."""
        known = self._alerts([(names.alerts(seed["org"]), id_) for id_, seed in seeds.items()])
        started = {id_: _Pending(seed, id_ not in known) for id_, seed in seeds.items() if id_ not in before}
        self._note(started)
        found = [finding for group in by_alert.values() for finding in group]
        created = self._create(found)
        whole = {id_ for id_ in started if all(finding.id in created for finding in by_alert[id_])}
        added = {id_: _added(by_alert[id_], known.get(id_)) for id_ in whole}
        late = whole - self._write({id_: started[id_] for id_ in whole}, added, known)
        counted = {**before, **started}
        for id_ in whole - late:
            del counted[id_]
        without = counted.keys() - self._count(counted)  # pending, but their findings never came to be
        return {id_: alert for id_, alert in {**before, **started}.items() if id_ not in without}

    # 1: what a crash may leave behind

    def _pending(self, now: int) -> dict[str, _Pending]:
        """One that is written only now is raised now: whoever looks for new alerts looks at the latest."""
        raised = {"raised_at": now}
        with self._local.read() as db:
            rows = db.execute("SELECT alert_id, seed, fresh FROM pending")
            return {id_: _Pending(orjson.loads(seed) | raised, bool(fresh)) for id_, seed, fresh in rows}

    def _note(self, started: Mapping[str, _Pending]) -> None:
        if started:
            with self._local.write() as db:
                db.executemany(
                    "INSERT INTO pending VALUES (?, ?, ?)",
                    [(id_, orjson.dumps(alert.seed).decode(), alert.fresh) for id_, alert in started.items()],
                )

    # 2: findings

    def _create(self, findings: Sequence[Finding]) -> set[str]:
        """Store the findings, found by searches at once (refresh); returns the ids of those that were new."""
        created: set[str] = set()
        for start in range(0, len(findings), _FINDINGS_AT_ONCE):
            some = findings[start : start + _FINDINGS_AT_ONCE]
            lines: list[Json] = []
            for finding in some:
                index = names.findings(finding.org, finding.ts, self._period)
                lines += ({"create": {"_index": index, "_id": finding.id}}, _document(finding))
            statuses = bulk(self._client, lines, refresh=True)
            created |= {finding.id for finding, status in zip(some, statuses, strict=True) if status == _CREATED}
        return created

    # 3: facts

    def _alerts(self, places: Sequence[tuple[str, str]]) -> dict[str, Doc]:
        found: dict[str, Doc] = {}
        for start in range(0, len(places), _ALERTS_AT_ONCE):
            found |= read_many(self._client, places[start : start + _ALERTS_AT_ONCE])
        return found

    def _count(self, alerts: Mapping[str, _Pending]) -> set[str]:
        """Write the facts of these alerts as counted from their findings; returns the ids of those that have any."""
        left, done = dict(alerts), set[str]()
        for _ in range(_TRIES + len(alerts) // _ALERTS_AT_ONCE):
            if not left:
                return done
            some = dict(list(left.items())[:_ALERTS_AT_ONCE])
            known = self._alerts([alert.place for alert in some.values()])  # before counting: see above
            facts = self._counted(some.values())
            written = self._write({id_: alert for id_, alert in some.items() if id_ in facts}, facts, known)
            done |= written
            for id_ in some:
                if id_ in written or id_ not in facts:
                    del left[id_]
        raise too_contended("alerts")

    def _counted(self, alerts: Iterable[_Pending]) -> dict[str, _Facts]:
        """The facts of those alerts that have findings."""
        seeds = [alert.seed for alert in alerts]
        indices = names.patterns("findings", {seed["org"] for seed in seeds})
        self._client.indices.refresh(index=indices, ignore_unavailable=True)
        sides = {"first": {"min": {"field": "ts"}}, "last": {"max": {"field": "ts"}}}
        answer = self._client.search(
            index=indices,
            query={"terms": {"alert_id": [seed["id"] for seed in seeds]}},
            aggs={"alert": {"terms": {"field": "alert_id", "size": len(seeds)}, "aggs": sides}},
            size=0,
            ignore_unavailable=True,
            allow_partial_search_results=False,
            request_cache=False,
        )
        buckets = answer.get("aggregations", {}).get("alert", {}).get("buckets", [])
        return {
            bucket["key"]: _Facts(int(bucket["first"]["value"]), int(bucket["last"]["value"]), bucket["doc_count"])
            for bucket in buckets
        }

    def _write(self, alerts: Mapping[str, _Pending], facts: Mapping[str, _Facts], known: Mapping[str, Doc]) -> set[str]:
        """Write facts over what was read; returns the ids where nobody was first."""
        lines: list[Json] = []
        for id_, alert in alerts.items():
            over, new = known.get(id_), facts[id_].document()
            index, _ = alert.place
            if over is None:
                lines += ({"create": {"_index": index, "_id": id_}}, alert.seed | new)
            else:
                lines += ({"update": {"_index": index, "_id": id_, **over.unchanged}}, {"doc": new})
        statuses = bulk(self._client, lines, refresh=True)
        return {id_ for id_, status in zip(alerts, statuses, strict=True) if status < 300}


def _by_alert(findings: Sequence[Finding]) -> dict[str, list[Finding]]:
    """Each finding once, by alert."""
    by_alert: dict[str, list[Finding]] = {}
    for finding in {finding.id: finding for finding in findings}.values():
        by_alert.setdefault(finding.alert_id, []).append(finding)
    return by_alert


def _added(findings: Sequence[Finding], known: Doc | None) -> _Facts:
    """The facts once these findings, all of them new, are in the alert."""
    first, last, count = min(f.ts for f in findings), max(f.ts for f in findings), len(findings)
    if known is None:
        return _Facts(first, last, count)
    old = known.source
    return _Facts(min(first, old["first_seen"]), max(last, old["last_seen"]), count + int(old["count"]))


def _seed(finding: Finding, rule: RuleDoc, now: int) -> Json:
    """An alert but for its facts."""
    return {
        "id": finding.alert_id,
        "rule_id": finding.rule_id,
        "rule_hash": finding.rule_hash,
        "title": rule.title,
        "level": finding.level or rule.level,
        "stage": finding.stage,
        "tags": list(rule.tags),
        "org": finding.org,
        "entity_field": finding.entity_field,
        "entity": finding.entity,
        "raised_at": now,
        "triage": copied(Triage()),
    }


def _document(finding: Finding) -> dict[str, Any]:
    return {
        "alert_id": finding.alert_id,
        "event_id": finding.event_id,
        "rule_id": finding.rule_id,
        "rule_hash": finding.rule_hash,
        "org": finding.org,
        "entity_field": finding.entity_field,
        "entity": finding.entity,
        "ts": finding.ts,
        "matched": finding.matched,
    }
