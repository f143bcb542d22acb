"""Source: an enrolled stream of one system of one organisation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Transport(StrEnum):
    FILE = "file"
    SYSLOG = "syslog"
    PUSH = "push"


@dataclass(frozen=True, slots=True)
class Source:
    """`type` is a dataset name (`nginx.access`, `linux.auth`, `syslog`, ...); `where` depends on `transport`:

    file: glob patterns; syslog: sender addresses or CIDR blocks; push: nothing (the token names the source).
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
    """What the collector knows of a source. Times in ms; `rate` in records/s over the last minute."""

    source_id: str
    last_event: int | None
    last_received: int | None
    records: int
    dead: int
    rate: float
    problem: str | None = None
