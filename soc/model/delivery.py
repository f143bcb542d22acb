"""Delivery: that one route is to be told of one alert. It holds ids and no text of the alert, which is read when the message is written."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum


class DeliveryState(StrEnum):
    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"  # given up: a person may have it tried again


@dataclass(frozen=True, slots=True)
class Delivery:
    """Times are ms of the wall clock. `version` counts changes, from 1, and guards against two senders of one delivery."""

    id: str
    route_id: str
    alert_id: str
    org: str
    reason: str  # why the route is told, such as `raised`
    created_at: int
    next_at: int  # not before
    give_up_at: int
    state: DeliveryState = DeliveryState.PENDING
    attempts: int = 0
    claimed_until: int = 0  # somebody is sending it until then
    error: str = ""  # what the last try said, one short line
    sent_at: int | None = None  # one that was given up may have it, too: some of the receivers took it, others did not
    message: str = ""  # id of the message that it goes or went in, since the first try
    version: int = 1


def delivery_id(route_id: str, alert_id: str, reason: str) -> str:
    """The same for the same: making a delivery twice makes one."""
    return hashlib.sha256("\0".join((route_id, alert_id, reason)).encode(errors="surrogatepass")).hexdigest()[:24]
