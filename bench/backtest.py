"""Rules over stored events, as `soc rules backtest` runs them: events/s over a large history, and what a process of it takes.

Bar: 30,000 events/s, 100 rules over 5,000,000 stored events. The floor of the same run: reading the same rows and doing nothing.
"""

from __future__ import annotations

import resource
import tempfile
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path

from bench import workload
from bench.end_to_end import rule_folders
from collector.base import Record
from collector.parse.record import to_event
from collector.privacy import Masker
from rules.load.folders import load
from rules.rule import RuleSet
from soc.buffer.base import Cursor
from soc.buffer.sqlite import EventLog
from soc.model.event import Stored
from soc.model.org import EVERYTHING
from soc.model.source import Source, Transport
from soc.service.backtest import open_backtest
from soc.settings import Settings
from soc.store.history import SqliteHistory
from soc.store.sqlite import events_dir

_AT_ONCE = 5000
_RULES = 100
_PER_S = 2  # of event time: 5,000,000 events are a month
_NOW = 1 << 45
_END = 1_776_000_000_000  # after the last of them


def fill(folder: Path, count: int) -> None:
    log, masker = EventLog(events_dir(folder)), Masker(bytes(32))
    source = Source("bench", "bench", "bench", "nginx.access", Transport.FILE)
    lines = enumerate(workload.lines(count, per_s=_PER_S))
    while some := list(islice(lines, _AT_ONCE)):
        log.append([Stored.of(to_event(Record(line.encode(), str(i)), source, masker, _NOW)) for i, line in some])
    log.close()


def hundred(ruleset: RuleSet) -> RuleSet:
    """The first so many that alert by themselves."""
    single = [replace(rule, silent=False) for rule in ruleset.rules if rule.correlation is None]
    return RuleSet(tuple(single[:_RULES]))


def reading(folder: Path) -> float:
    """Events/s of reading all rows."""
    history = SqliteHistory(EventLog(events_dir(folder)), EVERYTHING, 1, _END)
    cursor: Cursor = {}
    count, began = 0, time.monotonic()
    while (batch := history.read(cursor, 10_000)).events:
        cursor, count = batch.cursor, count + len(batch.events)
    history.close()
    return count / (time.monotonic() - began)


def main(count: int = 5_000_000) -> list[tuple[str, str]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder, count)
        floor = reading(folder)
        chosen = hundred(load(*rule_folders()))
        settings = Settings(data_dir=folder)
        began, cpu = time.monotonic(), time.process_time()
        with open_backtest(settings, chosen, EVERYTHING, 60, clock=lambda: _END) as running:
            for _ in running.test.run():
                pass
            raised = sum(outcome.alerts for outcome in running.outcomes())
            took, cpu = time.monotonic() - began, time.process_time() - cpu
        assert running.test.progress.events == count
        return [
            (f"{count:,} events, {len(chosen.rules)} rules, events/s (bar 30,000)", f"{count / took:,.0f}"),
            ("reading the same rows, events/s (floor)", f"{floor:,.0f}; ratio {count / took / floor:.3f}"),
            ("CPU us an event", f"{cpu / count * 1e6:.1f}"),
            ("alerts", f"{raised:,}"),
            ("memory, peak, MiB", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}"),
        ]
