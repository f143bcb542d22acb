"""What correlations mean, written as plainly as can be: every window of every event, looked at whole. Shares nothing with the engine.

Also the rules and the events that the tests of correlations share.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from fractions import Fraction
from math import ceil

import yaml

from soc.model.event import Event
from soc.model.finding import alert_id, finding_id, local_day

START = 1_772_468_100_000  # 2026-03-02 23:15 in Ho Chi Minh City: windows cross midnight
MINUTE = 60_000
BASES = ("a", "b", "c")
BY_IP = {"group-by": ["ip"], "timespan": "10m"}

CORRELATIONS: dict[str, dict[str, object]] = {
    "many": {"type": "event_count", "rules": ["a", "b"], "condition": {"gte": 3}, "generate": True, **BY_IP},
    "range": {"type": "event_count", "rules": ["a"], "condition": {"gt": 1, "lte": 3}, **BY_IP},
    "few": {"type": "event_count", "rules": ["a", "b"], "condition": {"lt": 2}, "group-by": ["user", "ip"], "timespan": "5m"},
    "not_three": {"type": "event_count", "rules": ["c"], "condition": {"neq": 3}, **BY_IP},
    "everybody": {"type": "event_count", "rules": ["a"], "condition": {"gt": 4}, "timespan": "30m"},
    "values": {
        "type": "value_count", "rules": ["a", "b"], "condition": {"gte": 3, "field": "v"}, "group-by": ["who"], "timespan": "10m",
        "aliases": {"who": {"a": "ip", "b": "user"}},
    },
    "pairs": {"type": "value_count", "rules": ["a", "b"], "condition": {"gt": 3, "field": ["v", "n"]}, **BY_IP},
    "two_values": {"type": "value_count", "rules": ["a", "b", "c"], "condition": {"eq": 2, "field": "v"}, **BY_IP},
    "together": {"type": "temporal", "rules": ["a", "b", "c"], **BY_IP},
    "two_of_them": {"type": "temporal", "rules": ["a", "b", "c"], "condition": {"gte": 2}, "group-by": ["user"], "timespan": "3m"},
    "a_alone": {"type": "temporal", "rules": ["a", "b"], "condition": "a and not b", **BY_IP},
    "a_with": {"type": "temporal", "condition": "a and (b or c)", **BY_IP},
    "in_order": {"type": "temporal_ordered", "rules": ["a", "b", "c"], **BY_IP},
    "two_in_order": {"type": "temporal_ordered", "rules": ["c", "b", "a"], "condition": {"gte": 2}, **BY_IP},
    "order_without": {"type": "temporal_ordered", "rules": ["b", "a", "c"], "condition": "b and a and not c", **BY_IP},
    "sum": {"type": "value_sum", "rules": ["a", "b"], "condition": {"gt": 4.2, "field": "n"}, **BY_IP},
    "mean": {"type": "value_avg", "rules": ["a", "b"], "condition": {"gte": 1.05, "field": "n"}, **BY_IP},
    "high": {"type": "value_percentile", "rules": ["a", "c"], "condition": {"gte": 2, "field": "n", "percentile": 80}, **BY_IP},
    "middle": {"type": "value_median", "rules": ["a", "b"], "condition": {"lt": 1, "field": "n"}, **BY_IP},
    "unanswered": {"type": "absence", "rules": ["a", "b", "c"], "group-by": ["ip"], "timespan": "7m"},
    "again": {"type": "event_count", "rules": ["many"], "condition": {"gte": 3}, "group-by": ["ip"], "timespan": "20m", "generate": True},
    "then": {  # `user` is none of what `many` groups by: it is carried
        "type": "temporal_ordered", "rules": ["many", "c"], "group-by": ["who"], "timespan": "15m", "generate": True,
        "aliases": {"who": {"many": "user", "c": "user"}},
    },
    "silence": {"type": "event_count", "rules": ["unanswered"], "condition": {"gte": 2}, "group-by": ["user"], "timespan": "1h"},
    "dear": {"type": "temporal", "rules": ["mean", "c"], "group-by": ["ip"], "timespan": "9m"},
    "all_of_it": {"type": "temporal", "rules": ["again", "silence", "dear"], "group-by": ["user"], "timespan": "2h"},
}  # fmt: skip


def rule_id(name: str) -> str:
    return f"6f1f7d0a-6f0e-4c52-9b57-{list(CORRELATIONS).index(name):012d}"


def rules_text() -> str:
    bases = [
        {
            "title": name,
            "name": name,
            "logsource": {"category": "test"},
            "detection": {"s": {name: 1}, "condition": "s"},
        }
        for name in BASES
    ]
    correlations = [
        {"title": name, "name": name, "id": rule_id(name), "correlation": body} for name, body in CORRELATIONS.items()
    ]
    return yaml.safe_dump_all([*bases, *correlations], sort_keys=False)


def event(number: int, ts: int, rng: random.Random, groups: int = 2) -> Event:
    """An event that some of the base rules find."""
    fields: dict[str, object] = {base: 1 for base in BASES if rng.random() < 0.45}
    fields |= {"ip": f"ip{rng.randrange(groups)}", "organization.id": rng.choice(["hy", "nb"])}
    if rng.random() < 0.9:
        fields["user"] = f"u{rng.randrange(groups)}"
    if rng.random() < 0.9:
        fields["v"] = rng.choice("wxyz")
    if rng.random() < 0.9:
        fields["n"] = rng.choice([0.1, 0.7, 1, 2, "3.5", -1, "many"])
    digest = random.Random(number).getrandbits(80)  # ids do not sort by the order in which events are made
    return Event(f"{ts:012x}{digest:020x}", ts, str(fields["organization.id"]), "test", fields)  # type: ignore[arg-type]


Input = tuple[Event, str]  # an event, and the rule that found it


Laid = Mapping[tuple[str, str], Mapping[str, object]]  # correlation and organisation -> its `number` and `timespan`


def findings(events: Iterable[Event], zone, laid: Laid | None = None) -> set[tuple[str, str, str]]:
    """(rule id, alert id, finding id) of every correlation that alerts. `laid`: what holds in place of the text."""
    hits: dict[str, list[Event]] = {base: [e for e in events if e.fields.get(base) == 1] for base in BASES}
    silent = {name for body in CORRELATIONS.values() if not body.get("generate") for name in _rules(body)}
    found = set()
    for name, body in CORRELATIONS.items():
        hits[name] = []
        for who, hit, window in _hits(
            body, hits, {org: own for (other, org), own in (laid or {}).items() if other == name}
        ):
            hits[name].append(hit)
            if name not in silent:
                alert = alert_id(rule_id(name), hit.org, who, local_day(hit.ts, zone))
                found |= {(rule_id(name), alert, finding_id(alert, e.id)) for e in window}
    return found


def _rules(body) -> list[str]:
    return body.get("rules") or [name for name in BASES if name in re.findall(r"\w+", body["condition"])]  # type: ignore[no-any-return]


def _hits(text, hits, laid):
    """(entity, event, the events of its window) of each hit."""
    groups: dict[tuple[str, ...], list[Input]] = defaultdict(list)
    names, aliases = text.get("group-by", []), text.get("aliases", {})
    for rule in _rules(text):
        for e in {e.id: e for e in hits[rule]}.values():
            by = [e.fields.get(aliases.get(name, {}).get(rule, name)) for name in names]
            if None not in by and _has_value(text, e):
                groups[(e.org, *map(str, by))].append((e, rule))
    for (org, *by), inputs in groups.items():
        body = _bent(text, laid.get(org, {}))
        span = int(body["timespan"][:-1]) * {"m": MINUTE, "h": 60 * MINUTE}[body["timespan"][-1]]
        who = ", ".join(by) or org
        for hit in {e.id: e for e, _ in inputs}.values():
            if body["type"] == "absence":
                first, *others = _rules(body)
                asked = any(e.id == hit.id and rule == first for e, rule in inputs)
                if asked and not any(rule in others and hit.ts <= e.ts < hit.ts + span for e, rule in inputs):
                    yield who, hit, [hit]
                continue
            window = [(e, rule) for e, rule in inputs if hit.ts - span < e.ts <= hit.ts]
            if _holds(body, window):
                yield who, hit, [e for e, _ in window]


def _bent(body, own):
    bent = {**body, "timespan": own.get("timespan", body["timespan"])}
    if "number" in own:
        condition = body.get("condition") or {"gte": None}
        bent["condition"] = {k: v if k in ("field", "percentile") else own["number"] for k, v in condition.items()}
    return bent


def _number(e: Event) -> Fraction | None:
    try:
        return Fraction(str(e.fields["n"]))
    except (KeyError, ValueError):
        return None


def _has_value(body, e: Event) -> bool:
    if body["type"] == "value_count":
        field = body["condition"]["field"]
        return all(name in e.fields for name in ([field] if isinstance(field, str) else field))
    return not body["type"].startswith("value_") or _number(e) is not None


def _holds(body, window: list[Input]) -> bool:
    condition, kind = body.get("condition"), body["type"]
    there = {rule for _, rule in window}
    if isinstance(condition, str):
        if kind == "temporal_ordered":
            needed = [rule for rule in _rules(body) if f"not {rule}" not in condition]
            return _in_order(needed, window) and not (set(_rules(body)) - set(needed)) & there
        return bool(eval(condition, {}, {rule: rule in there for rule in _rules(body)}))
    value = _value(body, kind, there, list({e.id: e for e, _ in window}.values()), window)
    condition = condition or {"gte": len(_rules(body))}
    compare = {
        "gt": lambda x: value > x, "gte": lambda x: value >= x, "lt": lambda x: value < x, "lte": lambda x: value <= x,
        "eq": lambda x: value == x, "neq": lambda x: value != x,
    }  # fmt: skip
    return all(compare[op](Fraction(str(number))) for op, number in condition.items() if op in compare)


def _value(body, kind: str, there: set[str], events: list[Event], window: list[Input]) -> Fraction:
    if kind == "event_count":
        return Fraction(len(events))
    if kind == "value_count":
        field = body["condition"]["field"]
        names = [field] if isinstance(field, str) else field
        return Fraction(len({tuple(str(e.fields[name]) for name in names) for e in events}))
    if kind == "temporal":
        return Fraction(len(there))
    if kind == "temporal_ordered":
        order = _rules(body)
        subsets = [[r for i, r in enumerate(order) if n >> i & 1] for n in range(1 << len(order))]
        return Fraction(max(len(some) for some in subsets if _in_order(some, window)))
    numbers = sorted(number for e in events if (number := _number(e)) is not None)
    if kind == "value_sum":
        return sum(numbers, Fraction(0))
    if kind == "value_avg":
        return sum(numbers, Fraction(0)) / len(numbers)
    if kind == "value_median":
        return (numbers[(len(numbers) - 1) // 2] + numbers[len(numbers) // 2]) / 2
    return numbers[max(1, ceil(Fraction(body["condition"]["percentile"], 100) * len(numbers))) - 1]


def _in_order(rules: list[str], window: list[Input]) -> bool:
    """Whether events of these rules follow each other; those of one instant may stand in any order."""
    at = -1
    for rule in rules:
        later = [e.ts for e, found_by in window if found_by == rule and e.ts >= at]
        if not later:
            return False
        at = min(later)
    return True
