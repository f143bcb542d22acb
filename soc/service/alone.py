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
    """Tries them one after the other, each in a thread, since a few take seconds to compile and no batch may wait for that. Once each: by
    itself a rule does not change. Belongs to one thread, which calls `go_on` now and then."""

    def __init__(self) -> None:
        self._asked: set[str] = set()
        self._waiting: deque[tuple[Rule, Mapping[str, Rule], Sequence[Stored]]] = deque()
        self._fires: dict[str, bool] = {}
        self._at_work: threading.Thread | None = None

    def ask(self, rule: Rule, known: Mapping[str, Rule], events: Sequence[Stored]) -> bool | None:
        """Whether it fires; None as long as that is not known."""
        if rule.id not in self._asked:
            self._asked.add(rule.id)
            self._waiting.append((rule, known, events))
        return self.answer(rule.id)

    def answer(self, rule_id: str) -> bool | None:
        return self._fires.get(rule_id)

    def go_on(self) -> None:
        """Begin with the next if none is being tried."""
        if self._waiting and (self._at_work is None or not self._at_work.is_alive()):
            self._at_work = threading.Thread(target=self._try, args=self._waiting.popleft(), name="alone", daemon=True)
            self._at_work.start()

    def _try(self, rule: Rule, known: Mapping[str, Rule], events: Sequence[Stored]) -> None:
        try:
            self._fires[rule.id] = fires(rule, known, events)
        except Exception as error:
            self._fires[rule.id] = False
            log.warning("a rule could not be tried alone", rule=rule.id, exc_info=error)
