"""Canaries: events made to fire one rule each, which prove it alive from the sieve to the commit.

Each belongs to an organisation of its own, whose name no source can have (`soc.model.org.CODE`): so it shares no group of a correlation
with anybody, and what it brings about is known and taken out before anything is stored or counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

_MARK = "~canary/"


class Life(StrEnum):
    """`ALIVE`: its canary came back. `WAITING`: it has not come back yet, and has time. `BLIND`: it has not. `HIDDEN`: an exception for
    all organisations took it. `UNPROVABLE`: there is no event that is known to fire the rule. `UNFED`: no source feeds it, so there is
    nothing that it could be blind to; its event fires it in an engine of its own, once, and not on the way of all events: that would take
    the memory and the time of what nobody needs."""

    ALIVE = "alive"
    WAITING = "waiting"
    BLIND = "blind"
    HIDDEN = "hidden"
    UNPROVABLE = "unprovable"
    UNFED = "unfed"


@dataclass(frozen=True, slots=True)
class Canary:
    """What the last canary of a rule says. `at`: when it was sent, ms; `reason`: why none was, or which exception hides it."""

    rule_id: str
    life: Life
    at: int
    reason: str = ""


def org_of(rule_id: str, at: int) -> str:
    """The organisation of the canary of a rule that is sent at `at` (ms)."""
    return f"{_MARK}{at}/{rule_id}"


def is_canary(org: str) -> bool:
    return org.startswith(_MARK)
