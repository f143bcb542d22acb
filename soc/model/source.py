"""Source: an enrolled stream of one system of one organisation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

STRANGERS = "~strangers"  # in place of a source's id, which has no `~`: the health of what no enrolled source has sent


class Transport(StrEnum):
    FILE = "file"
    SYSLOG = "syslog"
    PUSH = "push"
    PROBE = "probe"


@dataclass(frozen=True, slots=True)
class Source:
    """`type` is a dataset name (`nginx.access`, `linux.auth`, `syslog`, ...); `where` depends on `transport`:

    file: glob patterns; syslog: sender addresses or CIDR blocks; push: nothing (the token names the source);
    probe: targets (`collector.probe.target`).
    `zone`: IANA zone or offset for times that carry none.
    """

    id: str
    name: str
    org: str
    type: str
    transport: Transport
    where: tuple[str, ...] = ()
    zone: str = "Asia/Ho_Chi_Minh"
    enabled: bool = True
    created_at: int = 0  # ms


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """What the collector knows of a source. Times in ms; rates in records/s over the last minute.

    `lag_ms`: how old the newest event was when its batch came, negative when it lay in the future. `dead_reason`: why the latest
    dead letter could not be parsed. `refused`: requests since the start with a token of this source that is not valid (any more).
    """

    source_id: str
    last_event: int | None
    last_received: int | None
    records: int
    dead: int
    rate: float
    problem: str | None = None
    dead_rate: float = 0.0
    dead_reason: str | None = None
    lag_ms: int | None = None
    refused: int = 0
    last_refused: int | None = None
