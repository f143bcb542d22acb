"""Service levels as people are shown them: an objective of an organisation's system, what is left of its error budget, and whose
fault it is where it burns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

OTHER = "~other"  # in place of the names beyond what is counted apart; no name in a log becomes this one by chance

LEAST_TOLD = 5  # events without a good one that may be no accident


class Blame(StrEnum):
    """Where the fault lies, as far as the counts can tell."""

    UPSTREAM = "upstream"  # who has to answer: it fails too often, whoever asks
    LOCAL = "local"  # who asks, or where it was asked: it fails wherever it asks
    LINK = "link"  # one who asks and one who answers: both do well with others, or with nobody else
    PLATFORM = "platform"  # everybody fails everywhere: what lies between
    UNKNOWN = "unknown"  # the counts fit none of these: only where it fails can be said


@dataclass(frozen=True, slots=True)
class Place:
    """`upstream`, `local`: the names it concerns, as they stand in the logs."""

    blame: Blame
    upstream: tuple[str, ...] = ()
    local: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """How one upstream (carrier, provider) or one local part (consumer, portal) did over the period."""

    kind: Blame
    name: str
    total: int
    bad: int
    burn: float


@dataclass(frozen=True, slots=True)
class Burning:
    """The alarm that is on. `since`, in ms: when it began to burn; `reason`: why, by language."""

    id: str
    severity: str
    since: int
    place: Place
    reason: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """One objective at `at` (ms). `total` and `bad` count the events of the last `days`; `objective` is the share, 0..1, that should
    be good. `burn`: how many times faster than allowed the budget burned in the last hour, None when nothing happened in it.
    `since`: the oldest event counted, ms. `uncounted`: events whose parts are counted together under `OTHER`.
    `ever_good`: whether an event of this objective was ever good, of whichever organisation; before that it does not alarm.
    """

    org: str
    system: str
    name: str
    titles: Mapping[str, str]
    measure: str
    objective: float
    days: int
    at: int
    since: int
    total: int
    bad: int
    burn: float | None
    uncounted: int = 0
    parts: tuple[Part, ...] = ()
    burning: Burning | None = None
    ever_good: bool = True

    @property
    def never_good(self) -> bool:
        """Whether enough happened to say that its `good` may find nothing."""
        return not self.ever_good and self.total >= LEAST_TOLD

    @property
    def ratio(self) -> float | None:
        """The share that was good; None when nothing happened: that is unknown, not bad."""
        return (self.total - self.bad) / self.total if self.total else None

    @property
    def budget_left(self) -> float | None:
        """The share of the error budget that is left, below 0 when it is overdrawn; None when nothing happened."""
        allowed = self.total * (1 - self.objective)
        return 1 - self.bad / allowed if allowed else None
