"""Every field that events may hold and its type in the index. A field that is not here is kept, and found, under `UNKNOWN`.

Our own are those of docs/fields.md; `ECS` holds the fields of the Elastic Common Schema that parsers fill in, with the types
it gives them.
"""

from __future__ import annotations

from soc.store.elastic.events.field_type import Type
from soc.store.elastic.events.own_fields import OWN

FOLDED = "govsoc.folded"
UNKNOWN = "govsoc.unknown"

_ECS: dict[Type, str] = {
    "date": "@timestamp event.created event.ingested event.start event.end",
    "text": "message event.original error.message",
    "ip": "source.ip client.ip destination.ip network.forwarded_ip related.ip",
    "keyword": """
        organization.id event.dataset event.kind event.category event.type event.action event.outcome event.code event.reason
        error.code source.address source.domain destination.domain host.name host.hostname user.id user.name
        user.effective.id user.effective.name group.id group.name process.name related.hosts related.user
        http.request.method http.version url.domain url.extension url.path url.scheme user_agent.original
        log.level log.logger log.syslog.appname log.syslog.facility.name log.syslog.hostname log.syslog.msgid
        log.syslog.procid log.syslog.severity.name log.syslog.version tls.cipher tls.version tls.version_protocol file.path""",
    "wide keyword": """
        http.request.id http.request.referrer process.command_line url.original url.query trace.id
        log.syslog.structured_data""",
    "long": """
        source.port destination.port process.pid process.thread.id http.request.bytes http.response.bytes
        http.response.body.bytes http.response.status_code event.duration log.syslog.facility.code log.syslog.priority
        log.syslog.severity.code""",
    "double": "event.risk_score",
}
ECS: dict[str, Type] = {name: kind for kind, names in _ECS.items() for name in names.split()}

# The id is the document's own: it is not indexed twice, only kept as a column to sort by.
ID = "event.id"
FIELDS: dict[str, Type] = ECS | OWN
KNOWN = frozenset({*FIELDS, ID})
