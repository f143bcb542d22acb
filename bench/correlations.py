"""Correlations: 100 rules over a million groups, findings of base rules to findings of correlations and state, without matching.

Per finding: correlate, tick and flush in batches as the pipeline makes them, into a dict and into the real SQLite store. CPU time.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from rules.engine import Engine
from rules.load.folders import loads
from soc.model.event import Event
from soc.model.finding import Finding
from soc.pipeline import PendingState
from soc.service.process import relax_garbage_collection
from soc.store.detections import SqliteDetections

RULES, GROUPS, BATCH = 100, 1_000_000, 2000
START, LATENESS_MS, STEP_MS = 1_772_468_100_000, 3_600_000, 5
KINDS = (
    "type: event_count, condition: {gte: 10}",
    "type: value_count, condition: {gte: 10, field: v}",
    "type: temporal, condition: {gte: 2}",
    "type: value_sum, condition: {gt: 100000, field: n}",
    "type: event_count, condition: {gte: 3}",
)


def engine(kinds: tuple[str, ...] = KINDS, rules: int = RULES) -> Engine:
    text = []
    for i in range(rules):
        names = [f"r{i}"] + ([f"s{i}"] if "temporal" in kinds[i % len(kinds)] else [])
        text += [
            f"name: {name}\ntitle: {name}\nlogsource: {{category: x}}\ndetection: {{s: {{f: {i}}}, condition: s}}"
            for name in names
        ]
        text.append(
            f"title: c{i}\nid: 6f1f7d0a-6f0e-4c52-9b57-{i:012d}\n"
            f"correlation: {{{kinds[i % len(kinds)]}, rules: [{', '.join(names)}], group-by: [ip], timespan: 10m}}"
        )
    loaded = loads("\n---\n".join(text))
    assert not loaded.errors, loaded.errors
    return Engine(loaded, ZoneInfo("UTC"))


def findings(
    engine: Engine, total: int, group_of: Callable[[int], int], rules: int, value: Callable[[int], int]
) -> Iterator[Finding]:
    ids = {rule.name: rule.id for rule in engine.ruleset.rules}
    rng = random.Random(1)
    for i in range(total):
        ts = START + i * STEP_MS
        rule, group = i % rules, group_of(i)
        event = Event(
            f"{ts:012x}{rng.getrandbits(80):020x}",
            ts,
            "hy",
            "x",
            {"ip": f"10.{group}", "v": f"v{value(i)}", "n": i % 997},
        )
        yield Finding(event.id, "", ids[f"r{rule}"], "", "hy", "", "", ts, event.id, {}, True, event)


class _Dict:
    """State in memory, as the engine sees it."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        return self.values.get(key)

    def commit(self, changes: Mapping[str, tuple[bytes, int]]) -> None:
        for key, (value, _) in changes.items():
            if value:
                self.values[key] = value
            else:
                self.values.pop(key, None)


def measured(
    engine: Engine,
    stream: Iterator[Finding],
    get: Callable[[str], bytes | None],
    commit: Callable[[Mapping[str, tuple[bytes, int]], int], None],
) -> tuple[float, int]:
    """(CPU seconds without making the findings, findings of correlations)."""
    spent, found, more = 0.0, 0, True
    while more:
        batch = [one for one, _ in zip(stream, range(BATCH), strict=False)]
        more = len(batch) == BATCH
        began = time.process_time()
        state = PendingState(get)
        watermark = (batch[-1].ts if batch else START) - LATENESS_MS
        found += len(engine.correlate(batch, state, watermark))
        found += len(engine.tick(watermark, state))
        engine.flush(state)
        commit(state.changes, engine.settled(watermark))
        spent += time.process_time() - began
    return spent, found


def main(total: int = 1_200_000) -> list[tuple[str, str]]:
    relax_garbage_collection()  # as the detector does
    figures = []
    rng = random.Random(2)
    groups = [rng.randrange(GROUPS // RULES) for _ in range(total)]

    def run(
        what: str, total: int, group_of: Callable[[int], int], value: Callable[[int], int], kinds: tuple[str, ...] = KINDS,
        rules: int = RULES, *, sqlite: bool = False,
    ) -> None:  # fmt: skip
        one = engine(kinds, rules)
        stream = findings(one, total, group_of, rules, value)
        state = _Dict()
        if sqlite:
            with tempfile.TemporaryDirectory() as folder:
                store = SqliteDetections(Path(folder))
                seconds, found = measured(
                    one,
                    stream,
                    store.state_get,
                    lambda changes, limit: store.commit([], {}, changes, {}, limit, 0) and None,
                )
                store.close()
        else:
            seconds, found = measured(one, stream, state.get, lambda changes, _: state.commit(changes))
        figures.append((what, f"{total / seconds:,.0f} findings/s ({found:,} found)"))
        if state.values and total > GROUPS:
            kept = sum(map(len, state.values.values())) + sum(map(len, state.values))
            live = sum(1 for key in state.values if len(key) > 30)
            entries = total  # nothing is older than the lateness allows
            figures.append(
                ("  state", f"{kept / live:.0f} bytes a group with {entries / live:.2f} events ({live:,} groups)")
            )

    run("100 rules, 1,000,000 groups, a dict", total, lambda i: groups[i], lambda i: i % 50)
    run("100 rules, 10,000 groups, a dict", total // 4, lambda i: groups[i] % 100, lambda i: i % 50)
    for values in (10, 1_000):  # of a group in the window; more than it asks for in neither
        run(
            f"value_count, 100 groups, {values:,} values in each", total // 6, lambda i: i % 100,
            lambda i, values=values: i // 100 % values, ("type: value_count, condition: {gte: 9999, field: v}",), 1,
        )  # fmt: skip
    run("100 rules, 1,000,000 groups, SQLite", total // 3, lambda i: groups[i], lambda i: i % 50, sqlite=True)
    return figures
