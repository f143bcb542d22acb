"""Policies: one document a version, created and never changed, so two who change one at once cannot both succeed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict

import orjson

from soc.errors import NotFound
from soc.model.policy import Policy, PolicyKind
from soc.store.decision import follows
from soc.store.elastic import names
from soc.store.elastic.client import Client
from soc.store.elastic.documents import Json, bulk, search_all, too_contended, write

_TRIES = 3


class ElasticPolicies:
    """`PolicyStore` on Elasticsearch. Every version counts one more document: that is the revision."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def revision(self) -> int:
        return int(self._client.count(index=names.POLICIES, ignore_unavailable=True)["count"])

    def put(self, policy: Policy) -> None:
        for _ in range(_TRIES):
            versions = self.history(policy.kind, policy.id)
            if not follows(versions[-1] if versions else None, policy):
                return
            if write(self._client, names.POLICIES, key(policy), document(policy), None):
                return
        raise too_contended(f"{policy.kind} {policy.id}")

    def begin(self, policies: Sequence[Policy]) -> int:
        new = [policy for policy in policies if follows(None, policy)]
        lines = [({"create": {"_index": names.POLICIES, "_id": key(policy)}}, document(policy)) for policy in new]
        statuses = bulk(self._client, [part for line in lines for part in line], refresh=True)  # 409: has one already
        return sum(status < 300 for status in statuses)

    def get(self, kind: PolicyKind, id_: str) -> Policy:
        if versions := self.history(kind, id_):
            return versions[-1]
        raise NotFound(f"there is no {kind} {id_}")

    def history(self, kind: PolicyKind, id_: str) -> list[Policy]:
        return list(self._find([{"term": {"kind": kind}}, {"term": {"id": id_}}]))

    def list(self, kind: PolicyKind) -> list[Policy]:
        latest = {policy.id: policy for policy in self._find([{"term": {"kind": kind}}])}
        return [latest[id_] for id_ in sorted(latest) if latest[id_].body is not None]

    def _find(self, conditions: Sequence[Json]) -> Iterable[Policy]:
        """Each name's versions in their order."""
        found = search_all(self._client, names.POLICIES, {"bool": {"filter": conditions}}, "key")
        return map(_policy, found)


def key(policy: Policy) -> str:
    """The document's id, which sorts by version. Its digits are enough for ten million changes of one name."""
    return f"{policy.kind}:{policy.id}:{policy.version:07d}"


def document(policy: Policy) -> Json:
    body = None if policy.body is None else orjson.dumps(policy.body).decode()
    return asdict(policy) | {"body": body, "key": key(policy)}


def _policy(known: Json) -> Policy:
    kind, body = PolicyKind(known["kind"]), known["body"]
    body = None if body is None else orjson.loads(body)
    return Policy(kind, known["id"], known["version"], body, known["by"], known["at"], known["reason"])
