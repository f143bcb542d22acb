"""The lists that hold now, as the detector knows them: looked at each second, taken up between two batches.

A list that changes is another file, so nothing is compiled anew and no window is lost. While the store is away, what was last known
counts, and so does the version before of a list whose file is not here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import structlog

from rules.lists.index import Index
from rules.lists.known import Lists
from soc.complaint import Complaint
from soc.errors import ConfigError
from soc.model.indicator import list_of
from soc.model.policy import PolicyKind
from soc.model.rule import RuleFault
from soc.service.looking import looking
from soc.store.base import PolicyStore

log = structlog.get_logger("detector")

_LOOK_S = 1.0
_AGAIN_S = 15.0


def lists_dir(data_dir: Path) -> Path:
    return data_dir / "lists"


class KnownLists:
    """`lists` is what rules ask. `load` has to be called once before; `take` belongs to the thread that runs the rules."""

    def __init__(self, policies: PolicyStore, folder: Path, clock: Callable[[], int]) -> None:
        self.lists = Lists()
        self.faults: list[RuleFault] = []
        self._policies, self._folder, self._clock = policies, folder, clock
        self._revision: int | None = None
        self._open: dict[str, tuple[str, str, Index]] = {}
        self._offered: dict[str, tuple[str, str, Index]] | None = None
        self._taken: dict[str, tuple[str, str, Index]] | None = None
        self._due_at = 0.0  # when what was not there is looked for again
        self._lock = threading.Lock()

    def load(self) -> None:
        """Read it again when something has changed; any thread may. Raises what the store raises; then nothing has."""
        with self._lock:
            revision = self._policies.revision()
            if revision == self._revision and (not self.faults or time.monotonic() < self._due_at):
                return
            self._due_at = time.monotonic() + _AGAIN_S
            found: dict[str, tuple[str, str, Index]] = {}
            faults: list[RuleFault] = []
            for policy in self._policies.list(PolicyKind.LIST):
                try:
                    found[policy.id] = self._opened(policy.id, dict(policy.body or {}))
                except ConfigError as error:
                    faults.append(RuleFault(f"list {policy.id}: {error}"))
                    if policy.id in self._open:
                        found[policy.id] = self._open[policy.id]
            self.faults, self._revision = faults, revision
            if found != self._open or self._offered is None:
                self._open = self._offered = found

    def _opened(self, id_: str, body: dict[str, object]) -> tuple[str, str, Index]:
        record = list_of(id_, body)
        if (known := self._open.get(id_)) is not None and known[2].name == record.file:
            return known
        return record.name, record.org, Index.open(self._folder, record.file)

    def take(self) -> None:
        """What is known now holds from here on, and what is over by now does not."""
        offered, now = self._offered, self._clock() // 1000
        if offered is not None and offered is not self._taken:
            self.lists.use(offered.values(), now)
            if offered or self._taken:  # who has no lists need not be told
                entries = sum(index.entries for _, _, index in offered.values())
                log.info("lists of indicators", lists=len(offered), entries=entries)
            self._taken = offered
        self.lists.now = now

    def as_now(self) -> Lists:
        """`load` and `take` at once, for who has no thread that looks. Raises what the store raises."""
        self.load()
        self.take()
        return self.lists


def read_lists(policies: PolicyStore, data_dir: Path, clock: Callable[[], int]) -> Lists:
    """As they are now, for good. Raises what the store raises."""
    return KnownLists(policies, lists_dir(data_dir), clock).as_now()


def following(known: KnownLists, look_s: float = _LOOK_S) -> AbstractContextManager[None]:
    """While the block runs, a list that changes is known within about `look_s`."""
    return looking(
        "lists",
        known.load,
        look_s,
        Complaint(log, "the lists of indicators are those last known", "the lists are known again"),
    )
