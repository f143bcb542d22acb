"""The source of probes: one line a turn, what was seen before, restarts, a full buffer, and what may not be probed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC

import orjson
import pytest
from readers import MemoryCheckpoints, Sink, run_reader, wait_for

from collector.parse.base import Context
from collector.parse.probe import parse_probe
from collector.probe.check import Outcome, StrayError
from collector.probe.reader import AT_ONCE, Probes
from collector.probe.target import Target, parse_target
from soc.errors import ConfigError

UP, DOWN = Outcome(True, 1.0, status=200), Outcome(False, 1.0, "Connection refused")
START = 1_772_416_800_000


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


class Script:
    """A `check` that gives these outcomes in turn, the last one again and again."""

    def __init__(self, outcomes: Sequence[Outcome | ConfigError]) -> None:
        self.outcomes = list(outcomes)
        self.asked = 0

    def __call__(self, _: Target) -> Outcome:
        self.asked += 1
        found = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(found, ConfigError):
            raise found
        return found


@pytest.fixture
def clock() -> Clock:
    return Clock()


def probes(check: Callable[[Target], Outcome], notes: MemoryCheckpoints, clock: Clock, *texts: str) -> Probes:
    targets = [parse_target(text) for text in texts or ("https://portal.example.vn/#every=60",)]
    return Probes("p", targets, notes, check, now_ms=clock, look_s=0.005)


def turns(reader: Probes, sink: Sink, clock: Clock, number: int, step_s: int = 60) -> list[dict[str, object]]:
    before = len(sink.records)
    with run_reader(reader.run, sink):
        for n in range(number):
            sink.wait(before + n + 1)
            clock.now += step_s * 1000
        sink.wait(before + number + 1)  # the turn that the clock stands in now
    return [orjson.loads(line) for line in sink.lines[before:]]


def test_failures_in_a_row_also_over_a_restart(notes, sink, clock) -> None:
    check = Script([UP, DOWN, DOWN])
    lines = turns(probes(check, notes, clock), sink, clock, 3)
    assert [line["failures"] for line in lines] == [0, 1, 2, 3]
    assert lines[1]["reason"] == "Connection refused"
    assert lines[0]["target"] == "https://portal.example.vn/"
    event = parse_probe(sink.lines[3].decode(), Context(UTC, clock.now))
    assert (event["event.outcome"], event["govsoc.probe.failures"]) == ("failure", 3)
    clock.now += 60_000
    again = turns(probes(Script([DOWN, UP]), notes, clock), sink, clock, 1)
    assert [line["failures"] for line in again] == [4, 0]


def test_a_restart_probes_nothing_twice(notes, sink, clock) -> None:
    turns(probes(Script([UP]), notes, clock), sink, clock, 1)
    check = Script([UP])
    reader = probes(check, notes, clock)
    stop = threading.Event()
    thread = threading.Thread(target=reader.run, args=(sink, stop))
    thread.start()
    stop.wait(0.1)
    stop.set()
    thread.join()
    assert check.asked == 0
    assert len({record.position for record in sink.records}) == len(sink.records) == 2


def dns(*answers: str) -> Outcome:
    return Outcome(True, 1.0, answers=answers)


def test_an_address_that_the_name_never_had(notes, sink, clock) -> None:
    check = Script([dns("192.0.2.1", "192.0.2.2"), dns("192.0.2.2"), dns("192.0.2.9"), dns("192.0.2.1", "192.0.2.9")])
    lines = turns(probes(check, notes, clock, "dns://a.vn#every=60"), sink, clock, 3)
    assert [line["changed"] for line in lines] == [False, False, True, False]
    assert lines[2]["before"] == ["192.0.2.1", "192.0.2.2"]


def test_an_address_that_the_name_is_not_to_have(notes, sink, clock) -> None:
    reader = probes(Script([dns("192.0.2.1"), dns("192.0.2.9")]), notes, clock, "dns://a.vn#every=60&answer=192.0.2.1")
    assert [line["changed"] for line in turns(reader, sink, clock, 2)] == [False, True, True]


def test_what_may_not_be_probed_is_told_and_no_failure(notes, sink, clock) -> None:
    reader = probes(Script([ConfigError("collect.probe_networks is empty"), UP]), notes, clock)
    with run_reader(reader.run, sink):
        wait_for(lambda: reader.problem)
        assert reader.problem == "collect.probe_networks is empty"
        assert sink.records == []
        clock.now += 60_000
        sink.wait(1)
        wait_for(lambda: reader.problem is None)


def test_a_full_buffer_loses_nothing_and_is_told(notes, sink, clock) -> None:
    reader = probes(Script([DOWN]), notes, clock)
    sink.full.set()
    with run_reader(reader.run, sink):
        wait_for(lambda: sink.refused)
        wait_for(lambda: reader.problem == "the buffer is full")
        sink.full.clear()
        sink.wait(1)
        wait_for(lambda: notes.notes["p"])


def test_only_some_at_once(notes, sink, clock) -> None:
    free, running, most = threading.Event(), [], []

    def check(target: Target) -> Outcome:
        running.append(target)
        most.append(len(running))
        free.wait(10)
        running.remove(target)
        return UP

    reader = probes(check, notes, clock, *(f"tcp://192.0.2.1:{port}" for port in range(1, 20)))
    with run_reader(reader.run, sink):
        wait_for(lambda: len(running) == AT_ONCE)
        free.set()
        sink.wait(19)
    assert max(most) <= AT_ONCE


def test_a_probe_that_breaks_does_not_end_the_others(notes, sink, clock) -> None:
    def check(target: Target) -> Outcome:
        if target.port == 1:
            raise RuntimeError
        return UP

    reader = probes(check, notes, clock, "tcp://192.0.2.1:1", "tcp://192.0.2.1:2")
    with run_reader(reader.run, sink):
        sink.wait(1)
        wait_for(lambda: reader.problem)
        assert reader.problem == (
            "1 of 2 targets are not probed, the others are: tcp://192.0.2.1:1: the probe failed: RuntimeError"
        )


def test_notes_that_cannot_be_read_and_those_of_targets_that_are_gone(notes, sink, clock) -> None:
    target = parse_target("https://portal.example.vn/#every=60")
    notes.notes["p"] = {target.key: "{", "gone": "{}"}
    turns(probes(Script([UP]), notes, clock), sink, clock, 0)
    assert set(notes.notes["p"]) == {target.key}


def test_a_name_that_leads_elsewhere_now_is_down(notes, sink, clock) -> None:
    stray = StrayError("it is not in the networks", "198.51.100.66")
    reader = probes(Script([UP, stray]), notes, clock)
    lines = turns(reader, sink, clock, 2)
    assert [line["up"] for line in lines] == [True, False, False]
    assert lines[2]["reason"] == "its name now leads to 198.51.100.66, which may not be probed"
    assert (lines[2]["failures"], lines[2]["address"]) == (2, "198.51.100.66")
    assert reader.problem == str(stray)
    clock.now += 60_000
    again = turns(probes(Script([stray]), notes, clock), sink, clock, 0)
    assert [line["failures"] for line in again] == [3], "also after a restart"


def test_a_name_that_never_was_in_the_networks_is_no_failure(notes, sink, clock) -> None:
    reader = probes(Script([StrayError("it is not in the networks", "198.51.100.66")]), notes, clock)
    with run_reader(reader.run, sink):
        wait_for(lambda: reader.problem)
    assert sink.records == []
