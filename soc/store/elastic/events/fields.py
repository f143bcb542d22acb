"""Every field that events may hold and its type in the index. A field that is not here is kept, and found, under `UNKNOWN`.

`OWN` says the same as the table of docs/fields.md, and a test compares them; `ECS` holds the fields of the Elastic Common
Schema that parsers fill in, with the types it gives them.

The types:
  keyword   compared whole; sorted and counted
  wide      a keyword of many different values that nobody counts: it costs no column
  text      running text: searched inside (soc.query.ast.TEXT_FIELDS)
  long, double, ip, date, boolean
"""

from __future__ import annotations

from typing import Literal

Type = Literal["keyword", "wide", "text", "long", "double", "ip", "date", "boolean"]

FOLDED = "govsoc.folded"
UNKNOWN = "govsoc.unknown"


def _typed(**fields: str) -> dict[str, Type]:
    return {name: kind for kind, names in fields.items() for name in names.split()}  # type: ignore[misc]


OWN: dict[str, Type] = _typed(
    keyword="""
        govsoc.source.id govsoc.privacy.kinds govsoc.phone.carrier govsoc.phone.prefix govsoc.cccd.province
        govsoc.web.upstream govsoc.web.upstream_name
        govsoc.ssh.event govsoc.ssh.method govsoc.ssh.signature govsoc.ssh.subsystem
        govsoc.sudo.pwd govsoc.sudo.tty govsoc.sudo.error govsoc.account.home govsoc.account.shell
        govsoc.otp.event govsoc.otp.status govsoc.otp.status_raw govsoc.otp.phone govsoc.otp.carrier govsoc.otp.channel
        govsoc.otp.brandname govsoc.otp.template govsoc.otp.error_code
        govsoc.lgsp.api govsoc.lgsp.version govsoc.lgsp.service_code govsoc.lgsp.consumer govsoc.lgsp.consumer_org
        govsoc.lgsp.provider govsoc.lgsp.fault_code govsoc.lgsp.fault_string govsoc.lgsp.token_status govsoc.lgsp.subject
        govsoc.lgsp.auth""",
    wide="govsoc.sudo.command govsoc.otp.request_id govsoc.otp.message_id",
    long="govsoc.privacy.count govsoc.web.connection_id govsoc.otp.attempt govsoc.lgsp.records",
    double="govsoc.otp.latency_ms govsoc.lgsp.duration_ms govsoc.lgsp.backend_ms",
    ip="govsoc.web.forwarded_for",
    boolean="govsoc.ssh.unknown_user",
)

ECS: dict[str, Type] = _typed(
    date="@timestamp event.created event.ingested event.start event.end",
    text="message event.original error.message",
    ip="source.ip client.ip destination.ip network.forwarded_ip related.ip",
    keyword="""
        organization.id event.dataset event.kind event.category event.type event.action event.outcome event.code event.reason
        error.code source.address source.domain destination.domain host.name host.hostname user.id user.name
        user.effective.id user.effective.name group.id group.name process.name related.hosts related.user
        http.request.method http.version url.domain url.extension url.path url.scheme user_agent.original
        log.level log.logger log.syslog.appname log.syslog.facility.name log.syslog.hostname log.syslog.msgid
        log.syslog.procid log.syslog.severity.name log.syslog.version tls.cipher tls.version tls.version_protocol file.path""",
    wide="""
        http.request.id http.request.referrer process.command_line url.original url.query trace.id
        log.syslog.structured_data""",
    long="""
        source.port destination.port process.pid process.thread.id http.request.bytes http.response.bytes
        http.response.body.bytes http.response.status_code event.duration log.syslog.facility.code log.syslog.priority
        log.syslog.severity.code""",
    double="event.risk_score",
)

# The id is the document's own: it is not indexed twice, only kept as a column to sort by.
ID = "event.id"
FIELDS: dict[str, Type] = ECS | OWN
KNOWN = frozenset({*FIELDS, ID})
