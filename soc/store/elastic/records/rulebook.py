"""The texts of rules: each as it was when it fired, and those that run now."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

import orjson

from soc.errors import NotFound
from soc.model.canary import Canary
from soc.model.rule import RuleCost, RuleDoc, RuleFault, RulesInForce
from soc.store.detections import canary_of, rule_doc
from soc.store.elastic import names
from soc.store.elastic.client import Client
from soc.store.elastic.digest import digest
from soc.store.elastic.documents import bulk, read, read_many

_RUNNING = "running"
_CANARIES = "canaries"
_COSTS = "costs"
_AT_ONCE = 200
_REMEMBERED = 5000


class RuleBook:
    """Index `rules`: `fired-<rule hash>`, `text-<hash of the whole document>`, `running`, which lists the latter, `canaries` and `costs`.

    The first two never change once they are written, so what was read or written once is not read or written again.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._kept: set[str] = set()
        self._texts: dict[str, RuleDoc] = {}
        self._lock = threading.Lock()

    def keep_fired(self, rules: Mapping[str, RuleDoc]) -> None:
        """Keep each rule as it is now, unless its hash has fired before. May be repeated."""
        self._keep({f"fired-{rule_hash}": rule for rule_hash, rule in rules.items()})

    def publish(self, rules: Sequence[RuleDoc], faults: Sequence[RuleFault], in_force: RulesInForce | None) -> None:
        ids = [_id(rule) for rule in rules]
        self._keep(dict(zip(ids, rules, strict=True)))
        running = {
            "rules": ids,
            "faults": [asdict(fault) for fault in faults],
            "in_force": in_force and asdict(in_force),
        }
        self._client.index(index=names.RULES, id=_RUNNING, document=running)

    def running(self) -> tuple[list[RuleDoc], list[RuleFault]]:
        found = read(self._client, names.RULES, _RUNNING)
        if found is None:
            return [], []
        texts = self._read(found.source["rules"])
        return [texts[id_] for id_ in found.source["rules"]], [RuleFault(**fault) for fault in found.source["faults"]]

    def publish_costs(self, costs: Sequence[RuleCost]) -> None:
        self._client.index(index=names.RULES, id=_COSTS, document={"costs": [asdict(one) for one in costs]})

    def costs(self) -> dict[str, RuleCost]:
        found = read(self._client, names.RULES, _COSTS)
        return {one["rule_id"]: RuleCost(**one) for one in found.source["costs"]} if found else {}

    def publish_canaries(self, canaries: Sequence[Canary]) -> None:
        self._client.index(index=names.RULES, id=_CANARIES, document={"canaries": [asdict(one) for one in canaries]})

    def canaries(self) -> dict[str, Canary]:
        found = read(self._client, names.RULES, _CANARIES)
        return {one["rule_id"]: canary_of(one) for one in found.source["canaries"]} if found else {}

    def in_force(self) -> RulesInForce | None:
        found = read(self._client, names.RULES, _RUNNING)
        known = found.source.get("in_force") if found else None  # a detector of an older govsoc did not say
        return RulesInForce(**known) if known else None

    def fired(self, rule_hash: str) -> RuleDoc:
        found = read(self._client, names.RULES, f"fired-{rule_hash}")
        if found is None:
            raise NotFound(f"no rule with hash {rule_hash} has fired here")
        return rule_doc(found.source["doc"])

    def _keep(self, docs: Mapping[str, RuleDoc]) -> None:
        new = [id_ for id_ in dict.fromkeys(docs) if id_ not in self._kept]
        for start in range(0, len(new), _AT_ONCE):
            some = new[start : start + _AT_ONCE]
            lines = [({"create": {"_index": names.RULES, "_id": id_}}, {"doc": _json(docs[id_])}) for id_ in some]
            bulk(self._client, [part for line in lines for part in line])  # 409: there already
            self._kept.update(some)

    def _read(self, ids: Iterable[str]) -> Mapping[str, RuleDoc]:
        with self._lock:
            known = dict(self._texts)
        missing = sorted(set(ids) - known.keys())
        for start in range(0, len(missing), _AT_ONCE):
            some = read_many(self._client, [(names.RULES, id_) for id_ in missing[start : start + _AT_ONCE]])
            known |= {id_: rule_doc(doc.source["doc"]) for id_, doc in some.items()}
        if missing:
            with self._lock:
                self._texts = known if len(known) <= _REMEMBERED else {id_: known[id_] for id_ in ids}
        return known


def _json(rule: RuleDoc) -> str:
    return orjson.dumps(asdict(rule)).decode()


def _id(rule: RuleDoc) -> str:
    return f"text-{digest(asdict(rule), size=12)}"
