"""Whether a new source works; if not, what is wrong, in an order in which one would ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from collector.parse.record import zone_of
from soc.model.source import Source, SourceHealth, Transport

_RECENT_MS = 15 * 60_000
_HALF_HOUR_MS = 30 * 60_000
_AHEAD_MS = 5 * 60_000
_LATE_MS = 60 * 60_000
_MANY = 0.2  # of the records not parsed
_ZONES_MS = 14 * 60 * 60_000  # no zone is further from another than this and a bit
_NEAR_MS = 2 * 60_000  # how near to a half hour a lag has to be to look like a zone


class State(StrEnum):
    WORKS = "works"
    DISABLED = "disabled"
    PROBLEM = "problem"  # the collector says what keeps it from reading
    WRONG_TOKEN = "wrong_token"  # noqa: S105
    UNKNOWN_SENDER = "unknown_sender"  # lines come, from addresses that are not enrolled
    WAITING = "waiting"
    WRONG_FORMAT = "wrong_format"
    WRONG_ZONE = "wrong_zone"  # times are off by whole half hours
    AHEAD = "ahead"
    BEHIND = "behind"
    SILENT = "silent"  # it worked, and nothing has come for a while


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`off_ms`: by how much event times are off, negative when they lie in the future. `senders`: addresses that send and are not
    enrolled. `better`: a type that reads what this one does not. `reason`: the collector's or the parser's own words."""

    state: State
    off_ms: int = 0
    zone: str | None = None
    senders: tuple[str, ...] = ()
    better: str | None = None
    reason: str | None = None

    @property
    def works(self) -> bool:
        return self.state is State.WORKS


def diagnose(
    source: Source,
    health: SourceHealth | None,
    now_ms: int,
    *,
    senders: Sequence[str] = (),
    better: str | None = None,
) -> Diagnosis:
    """`senders`: who has lately sent by syslog without being enrolled."""
    if not source.enabled:
        return Diagnosis(State.DISABLED)
    if health and health.problem:
        return Diagnosis(State.PROBLEM, reason=health.problem)
    received = health.last_received if health else None
    if health and health.last_refused and health.last_refused > max(received or 0, now_ms - _RECENT_MS):
        return Diagnosis(State.WRONG_TOKEN)
    if health is None or received is None:
        if senders and source.transport is Transport.SYSLOG:
            return Diagnosis(State.UNKNOWN_SENDER, senders=tuple(senders))
        return Diagnosis(State.WAITING)
    if _unreadable(health):
        return Diagnosis(State.WRONG_FORMAT, better=better, reason=health.dead_reason)
    return _clock(source, health, now_ms) or (
        Diagnosis(State.SILENT) if now_ms - received > _RECENT_MS else Diagnosis(State.WORKS)
    )


def _unreadable(health: SourceHealth) -> bool:
    """By the last minute; where that was silent, by all since the start."""
    if health.rate:
        return health.dead_rate > _MANY * health.rate
    return health.dead > _MANY * health.records


def _clock(source: Source, health: SourceHealth, now_ms: int) -> Diagnosis | None:
    lag_ms = health.lag_ms
    if lag_ms is None or -_AHEAD_MS <= lag_ms <= _LATE_MS // 2:
        return None
    offset = datetime.fromtimestamp(now_ms / 1000, zone_of(source.zone)).utcoffset()
    zone = _zone(lag_ms, round(offset.total_seconds() * 1000) if offset else 0)
    if zone:
        return Diagnosis(State.WRONG_ZONE, off_ms=lag_ms, zone=zone)
    if lag_ms < 0:
        return Diagnosis(State.AHEAD, off_ms=lag_ms)
    return Diagnosis(State.BEHIND, off_ms=lag_ms) if lag_ms > _LATE_MS else None


def _zone(lag_ms: int, offset_ms: int) -> str | None:
    """The offset that would put the times right, where they are off by about whole half hours."""
    halves = round(lag_ms / _HALF_HOUR_MS)
    if not halves or abs(lag_ms - halves * _HALF_HOUR_MS) > _NEAR_MS:
        return None
    right_ms = offset_ms - halves * _HALF_HOUR_MS  # an event that seems an hour old was written an hour further west
    if abs(right_ms) > _ZONES_MS:
        return None
    hours, minutes = divmod(abs(right_ms) // 60_000, 60)
    return f"{'-' if right_ms < 0 else '+'}{hours:02d}:{minutes:02d}"


def in_words(found: Diagnosis) -> str:
    """One or two English sentences: what is, and what to do."""
    match found.state:
        case State.WORKS:
            return "It works: lines arrive, they are parsed, and their times are right."
        case State.DISABLED:
            return "It is switched off: enable it, then let it send."
        case State.PROBLEM:
            return f"The collector reports a problem: {found.reason}"
        case State.WRONG_TOKEN:
            return "Requests come with a token that is not valid: it was renewed, revoked or cut short. Copy the whole token, or renew it."
        case State.UNKNOWN_SENDER:
            return f"Lines come from addresses that are not enrolled: {', '.join(found.senders)}. Is one of them the sender?"
        case State.WAITING:
            return "Waiting for the first line. Nothing has come: is the sender started, and does a firewall let it through?"
        case State.WRONG_FORMAT:
            better = f" They look like {found.better}." if found.better else ""
            return f"Lines arrive, and many are not of the format: {found.reason or 'no reason known'}.{better}"
        case State.WRONG_ZONE:
            return f"{_off(found.off_ms)}, as of another time zone: enrol the source with the zone {found.zone}, or set the sender's."
        case State.AHEAD:
            return f"{_off(found.off_ms)}: set the sender's clock (NTP)."
        case State.BEHIND:
            return f"{_off(found.off_ms)}: old lines are being sent, or the sender's clock is wrong (NTP)."
        case State.SILENT:
            return "It worked, and nothing has come for a quarter of an hour: has the sender stopped?"


def _off(ms: int) -> str:
    minutes = round(abs(ms) / 60_000)
    length = f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"
    return f"The times of its lines are {length} {'ahead' if ms < 0 else 'behind'}"
