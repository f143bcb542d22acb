"""What the pipeline asks of the parts that it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from soc.model.asked import BoundsOf
from soc.model.event import Event, Stored
from soc.model.finding import Finding
from soc.model.ledger import Account
from soc.model.tuning import Hidden


class State(Protocol):
    """Keyed state of the correlations. `expires` is the event time (ms) after which the key cannot matter any more."""

    def get(self, key: str) -> bytes | None: ...

    def set(self, key: str, value: bytes, expires: int) -> None: ...


class Judged(Protocol):
    """Findings that go on, and the others counted by what hid them."""

    @property
    def kept(self) -> list[Finding]: ...

    @property
    def hidden(self) -> list[Hidden]: ...


class Tuning(Protocol):
    """What people laid down about the rules. It never changes: when they change their minds there is another one."""

    @property
    def drafts(self) -> frozenset[str]:
        """Ids of the rules that are not evaluated at all."""
        ...

    @property
    def bounds(self) -> BoundsOf:
        """What correlations ask for where it is not what their text says."""
        ...

    def judge(self, findings: Sequence[Finding], now: int, *, correlated: bool = False) -> Judged: ...


class Rules(Protocol):
    """The rule engine, as the pipeline sees it."""

    def rest(self, rule_ids: frozenset[str]) -> None:
        """Evaluate all rules but these; cheap when they are the same as before."""
        ...

    def bind(self, bounds: BoundsOf) -> None:
        """Have correlations ask for this from now on; cheap when it is the same as before."""
        ...

    def sift(self, stored: Sequence[Stored]) -> list[Event]:
        """The events, parsed, that `match` may find something on: most need not be parsed at all."""
        ...

    def match(self, events: Sequence[Event]) -> list[Finding]: ...

    def correlate(
        self,
        findings: Sequence[Finding],
        state: State,
        expected: int | None,
        judge: Callable[[list[Finding]], list[Finding]],
    ) -> list[Finding]:
        """What these findings bring about at once. `expected`: no event before this time (ms) was expected when they came.

        `judge` is asked which findings of correlations may count towards others.
        """
        ...

    def tick(self, watermark: int, state: State, judge: Callable[[list[Finding]], list[Finding]]) -> list[Finding]:
        """What is decided by that no event before `watermark` (ms) is expected any more."""
        ...

    def settled(self, watermark: int) -> int:
        """State that expires before this time is of no use; before `watermark` while the last tick has left work for another."""
        ...

    def flush(self, state: State) -> None:
        """Write all changed state through `state.set`; called just before each commit."""
        ...

    def account(self) -> Account:
        """What the ledger has to know since the last time this was asked, or since `forget`."""
        ...

    def forget(self) -> None:
        """Drop what was kept in memory since the last commit: the commit failed."""
        ...


class Canaries(Protocol):
    """Who is told what became of canaries (`soc.model.canary`), once it is committed."""

    def came_back(self, findings: Sequence[Finding], hidden: Sequence[Hidden]) -> None: ...

    def passed(self, watermark: int) -> None:
        """All is decided that happened before this time (ms)."""
        ...
