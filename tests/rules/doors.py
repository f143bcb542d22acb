"""Every way into the engine by which it can be asked whether a rule fires, each against the reference matcher."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from zoneinfo import ZoneInfo

import orjson
import yaml
from reference import Reference

from rules.condition import All, Any, Check, Condition, Not, Search, satisfied
from rules.desk.explain import explain
from rules.engine import Engine
from rules.load.folders import loads
from rules.rule import Rule, RuleSet
from soc.model.event import Event, Fields, Stored

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
TS = 1_772_416_800_000
# Examples of each property: few in a normal run, where they are always the same; set it to search for long.
EXAMPLES = int(os.environ.get("ORACLE_EXAMPLES", "0"))


def rule_text(detection: Mapping[str, object], name: str, source: Mapping[str, str] | None = None) -> str:
    rule = {
        "title": name,
        "name": name,
        "logsource": dict(source or {"category": "test"}),
        "detection": dict(detection),
    }
    return yaml.safe_dump(rule, allow_unicode=True, sort_keys=False)


def event_of(fields: Mapping[str, object], number: int = 1) -> Event:
    return Event(f"{TS:012x}{number:020x}", TS, "hungyen", "test", dict(fields))  # type: ignore[arg-type]


def stored_of(event: Event) -> Stored | None:
    """As the event log holds it; None for what no JSON text can hold (half a surrogate)."""
    try:
        return Stored(event.id, event.ts, event.org, event.dataset, "portal", None, orjson.dumps(event.fields))
    except TypeError:
        return None


def slowly(tree: Condition, fields: Fields) -> bool:
    """The compiled condition, each check asked alone."""
    match tree:
        case Check():
            return satisfied(tree, fields)
        case Search(_, part):
            return slowly(part, fields)
        case Not(part):
            return not slowly(part, fields)
        case All(parts):
            return all(slowly(part, fields) for part in parts)
        case Any(parts):
            return any(slowly(part, fields) for part in parts)


class Judge:
    """Some rules, loaded by the product and read by the reference."""

    def __init__(self, texts: Sequence[str], ruleset: RuleSet | None = None) -> None:
        self.texts = {str(yaml.safe_load(text)["name"]): text for text in texts}
        self.references = {name: Reference(yaml.safe_load(text)) for name, text in self.texts.items()}
        self.ruleset = ruleset or loads("---\n".join(texts))
        assert not self.ruleset.errors, [str(error) for error in self.ruleset.errors]
        assert {rule.id for rule in self.ruleset.rules} == self.references.keys()
        self.engine = Engine(self.ruleset, ZONE)

    def expected(self, fields: Mapping[str, object]) -> set[str]:
        return {name for name, reference in self.references.items() if reference.fires(fields)}

    def judge(self, events: Sequence[Mapping[str, object]], slow_of: int = 1) -> None:
        """Asserts that every door says the same of every rule and event. The second time the answers come from caches.

        One of so many events is explained, too, which takes a thousand times as long.
        """
        expected = [self.expected(fields) for fields in events]
        for again in range(2):
            for number, fields in enumerate(events):
                for door, found in self.doors(event_of(fields, number), slow=not again and number % slow_of == 0):
                    self.same(door, fields, found, expected[number])
        assert self.engine.broken == {}, self.engine.broken

    def doors(self, event: Event, slow: bool) -> Iterator[tuple[str, set[str]]]:
        yield "match", self.hits(self.engine, [event])
        if (stored := stored_of(event)) is not None:
            yield "sift and match", self.hits(self.engine, self.engine.sift([stored]))
        if slow:
            yield "explain", {rule.id for rule in self.ruleset.rules if explain(rule, event.fields).holds}
            yield "each check alone", {rule.id for rule in self.ruleset.rules if self.alone(rule, event.fields)}

    def alone(self, rule: Rule, fields: Fields) -> bool:
        assert rule.condition is not None
        return self.references[rule.id].routed(fields) and slowly(rule.condition, fields)

    @staticmethod
    def hits(engine: Engine, events: Sequence[Event]) -> set[str]:
        found = [finding.rule_id for finding in engine.match(events)]
        assert len(found) == len(set(found)), "a rule fired twice on one event"
        return set(found)

    def same(self, door: str, fields: Mapping[str, object], found: set[str], expected: set[str]) -> None:
        for name in found ^ expected:
            says = "fires" if name in found else "does not fire"
            raise AssertionError(f"{door}: {says} on {dict(fields)!r}, against the reference:\n{self.texts[name]}")
