"""Rules in engines of their own: whether each fires, for what no source feeds. To compile them among thousands of others, on fields that
no event has had, would take the memory and the time of what nobody needs."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC

import structlog

from rules.engine import Engine
from rules.rule import Rule, RuleSet, beneath
from soc.model.event import Stored
from soc.pipeline import PendingState

log = structlog.get_logger("detector")

_MOST_KNOWN = 50_000
_FAR_MS = 400 * 86_400_000  # beyond any window: whatever waits for the watermark is decided


def fires(rule: Rule, known: Mapping[str, Rule], events: Sequence[Stored]) -> bool:
    """Whether it finds these events, by the way of all events: sieve, match, correlations. `known`: all rules by id."""
    engine = Engine(RuleSet(tuple(beneath(rule, known))), UTC)
    state = PendingState(lambda _: None)
    found = engine.match(engine.sift(events))
    found += engine.correlate(found, state)
    found += engine.tick(max(one.ts for one in events) + _FAR_MS, state)
    return any(finding.rule_id == rule.id for finding in found)


class Alone:
    """Tries them one after the other, each in a thread, since a few take seconds to compile and no batch may wait for that. Once each text,
    as by itself it does not change. Belongs to one thread, which calls `go_on` now and then."""

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}  # rule -> its text and those that it is made of
        self._waiting: deque[tuple[Rule, Mapping[str, Rule], Sequence[Stored]]] = deque()
        self._fires: dict[str, bool] = {}  # by these texts
        self._at_work: threading.Thread | None = None

    def ask(self, rule: Rule, known: Mapping[str, Rule], events: Sequence[Stored]) -> bool | None:
        """Whether it fires; None as long as that is not known."""
        if rule.id not in self._keys:
            self._keys[rule.id] = " ".join(sorted(one.hash for one in beneath(rule, known)))
            if self.answer(rule.id) is None:
                self._waiting.append((rule, known, events))
        return self.answer(rule.id)

    def answer(self, rule_id: str) -> bool | None:
        return self._fires.get(self._keys.get(rule_id, ""))

    def forget(self) -> None:
        """Other rules run from now on. What is known of those that are the same stays, as long as it is not too much."""
        self._keys.clear()
        self._waiting.clear()
        if len(self._fires) > _MOST_KNOWN:
            self._fires.clear()

    def go_on(self) -> None:
        """Begin with the next if none is being tried."""
        if self._waiting and (self._at_work is None or not self._at_work.is_alive()):
            rule, known, events = self._waiting.popleft()
            asked = self._keys[rule.id], rule, known, events
            self._at_work = threading.Thread(target=self._try, args=asked, name="alone", daemon=True)
            self._at_work.start()

    def _try(self, key: str, rule: Rule, known: Mapping[str, Rule], events: Sequence[Stored]) -> None:
        try:
            self._fires[key] = fires(rule, known, events)
        except Exception as error:
            self._fires[key] = False
            log.warning("a rule could not be tried alone", rule=rule.id, exc_info=error)
