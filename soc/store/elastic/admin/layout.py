"""How everything but events is kept in Elasticsearch: one index template an index of `names`, installed by `setup`.

Only what is filtered, sorted or counted by is indexed (`dynamic: false`); the rest is kept as it was given. So no document can be
refused for what is in it, and no source can make a mapping grow. These indices are small: one shard each.
"""

from __future__ import annotations

from soc.model.ledger import DEEDS
from soc.store.elastic.digest import Json, stamped
from soc.store.elastic.names import PREFIX

_KEYWORD: Json = {"type": "keyword", "ignore_above": 8000}  # longer than 32,766 bytes is refused by the server
_MS: Json = {"type": "date", "format": "epoch_millis"}
_LONG: Json = {"type": "long"}
_KEPT: Json = {"type": "object", "enabled": False}  # kept, never looked into

_TRIAGE_TIMES = ("updated_at", "snoozed_until", "acknowledged_at", "closed_at")
_ALERTS: Json = {
    **dict.fromkeys(("id", "rule_id", "level", "org", "entity_field", "entity", "tags", "stage"), _KEYWORD),
    **dict.fromkeys(("first_seen", "last_seen", "raised_at"), _MS),
    "count": _LONG,
    "triage": {
        "properties": {
            **dict.fromkeys(("status", "verdict", "assignee", "incident"), _KEYWORD),
            "version": _LONG,
            **dict.fromkeys(_TRIAGE_TIMES, _MS),
        }
    },
}
_FIELDS: dict[str, Json] = {
    "alerts": _ALERTS,
    "findings": {
        **dict.fromkeys(("alert_id", "event_id", "rule_id", "org"), _KEYWORD),
        "ts": _MS,
        "matched": _KEPT,
    },
    "triage": {
        **dict.fromkeys(("alert_id", "org", "status", "verdict", "assignee", "incident"), _KEYWORD),
        "version": _LONG,
        **dict.fromkeys(_TRIAGE_TIMES, _MS),
        "history": _KEPT,
    },
    "incidents": {
        **dict.fromkeys(("id", "orgs", "status", "verdict", "assignee", "merged_into"), _KEYWORD),
        **dict.fromkeys(("created_at", "updated_at"), _MS),
        **dict.fromkeys(("version", "orgs_count"), _LONG),
        "history": _KEPT,
    },
    "sources": {"id": _KEYWORD, "org": _KEYWORD, "token_hash": _KEYWORD},
    "policies": dict.fromkeys(("kind", "id", "key"), _KEYWORD),
    "deliveries": {
        **dict.fromkeys(("id", "route_id", "alert_id", "org", "state", "message"), _KEYWORD),
        **dict.fromkeys(("created_at", "sent_at"), _MS),
    },
    "accounts": {"kind": _KEYWORD, "name": _KEYWORD, "expires": _MS, "keys": _KEPT},
    "rules": {},
    "health": {"source_id": _KEYWORD, "last_received": _MS},
    "outages": {**dict.fromkeys(("id", "source", "org"), _KEYWORD), "noticed_at": _MS, "cleared_at": _MS},
    "hidden": dict.fromkeys(("key", "rule_id", "exception_id", "org", "day"), _KEYWORD),
    "ledger": {
        **dict.fromkeys(("kind", "id", "rule_id", "org", "audience", "rules"), _KEYWORD),
        **dict.fromkeys(("at", "span", "events", *DEEDS), _LONG),
    },
    "audit": {**dict.fromkeys(("by", "action", "target"), _KEYWORD), "at": _MS, "written": _LONG},
}
# Lies on the disk in the order in which it is listed: the first page stops reading after so many documents.
_SORTED: Json = {"sort.field": ["raised_at", "id"], "sort.order": ["desc", "desc"]}


def templates(replicas: int = 1) -> dict[str, Json]:
    """Name -> index template. `replicas`: copies where there are nodes enough for them, none on a single node."""
    return {f"{PREFIX}-{kind}": _template(kind, replicas) for kind in _FIELDS}


def _template(kind: str, replicas: int) -> Json:
    dated = kind in ("alerts", "findings", "triage", "audit")
    settings: Json = {"number_of_shards": 1, "auto_expand_replicas": f"0-{replicas}"}
    if kind == "alerts":
        settings |= _SORTED
    body: Json = {
        "index_patterns": [f"{PREFIX}-{kind}-*" if dated else f"{PREFIX}-{kind}"],
        "priority": 500,
        "template": {"settings": {"index": settings}, "mappings": {"dynamic": False, "properties": _FIELDS[kind]}},
    }
    return stamped(body)
