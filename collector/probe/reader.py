"""The source of probes: each target in its turn, what came of it as one line, and what was seen before kept over restarts."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import orjson

from collector.base import Checkpoints, Deliver, Record
from collector.parse.time import iso_time
from collector.patience import insist
from collector.probe.check import Outcome, StrayError
from collector.probe.target import Target, is_name
from soc.errors import ConfigError

AT_ONCE = 4  # probes of one source
_LOOK_S = 0.5
_KNOWN = 64  # addresses of a name that are remembered


@dataclass(frozen=True, slots=True)
class Seen:
    """What is remembered of a target. `turn`: its last one; `failures`: in a row; `answers`: the addresses that a name has had;
    `probed`: whether anything was ever told of it."""

    turn: int = -1
    failures: int = 0
    answers: tuple[str, ...] = ()
    probed: bool = False


class Probes:
    """`Reader` of probes. `check` raises `ConfigError` for a target that may not be probed: that is told, and is no failure. But where a
    name that was probed leads elsewhere now, that may be somebody's doing: then it is down."""

    def __init__(
        self,
        source_id: str,
        targets: Sequence[Target],
        checkpoints: Checkpoints,
        check: Callable[[Target], Outcome],
        *,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        look_s: float = _LOOK_S,
    ) -> None:
        self._id = source_id
        self._targets = targets
        self._checkpoints = checkpoints
        self._check = check
        self._now_ms = now_ms
        self._look_s = look_s
        self._seen: dict[str, Seen] = {}
        self._running: set[str] = set()
        self._done: queue.SimpleQueue[tuple[Target, int, int, Outcome | ConfigError]] = queue.SimpleQueue()
        self._problems: dict[str, str] = {}
        self._waiting: str | None = None  # for the buffer

    @property
    def problem(self) -> str | None:
        if self._waiting:
            return self._waiting
        told = dict(self._problems)  # the reader's thread goes on meanwhile
        problems = sorted(set(told.values()))
        if not problems:
            return None
        said = problems[0] + (f" (and {len(problems) - 1} more)" if len(problems) > 1 else "")
        some, all_ = len(told), len(self._targets)
        if some == all_:
            return said
        return f"{some} of {all_} targets are not probed, the others are: {said}"

    def run(self, deliver: Deliver, stop: threading.Event) -> None:
        notes = self._checkpoints.load(self._id)
        self._seen = {target.key: _read(notes.get(target.key)) for target in self._targets}
        self._checkpoints.save(self._id, dict.fromkeys(notes.keys() - self._seen.keys()))
        while not stop.is_set():
            self._start()
            self._collect(deliver, stop)
            stop.wait(self._look_s)

    def _wait(self, reason: str | None) -> None:
        self._waiting = reason

    def _start(self) -> None:
        now = self._now_ms()
        for target in self._targets:
            turn = target.turn(now)
            # A clock that was put back does not silence what it had probed ahead.
            if len(self._running) >= AT_ONCE or target.key in self._running or turn == self._seen[target.key].turn:
                continue
            self._running.add(target.key)
            thread = threading.Thread(target=self._probe, args=(target, turn, now), name=target.name, daemon=True)
            thread.start()

    def _probe(self, target: Target, turn: int, now: int) -> None:
        try:
            found: Outcome | ConfigError = self._check(target)
        except ConfigError as error:
            found = error
        except Exception as error:  # noqa: BLE001 - one target must not end the turns of the others
            found = ConfigError(f"{target.name}: the probe failed: {type(error).__name__}")
        self._done.put((target, turn, now, found))

    def _collect(self, deliver: Deliver, stop: threading.Event) -> None:
        """Deliver what has come back, then remember it: in this order nothing is lost."""
        records: list[Record] = []
        notes: dict[str, str | None] = {}
        while not self._done.empty():
            target, turn, now, found = self._done.get()
            self._running.discard(target.key)
            old = self._seen[target.key]
            self._problems.pop(target.key, None)
            if isinstance(found, ConfigError):
                self._problems[target.key] = str(found)
                if not (old.probed and isinstance(found, StrayError) and is_name(target.host)):
                    self._seen[target.key] = replace(old, turn=turn)
                    continue
                found = Outcome(
                    False, 0.0, f"its name now leads to {found.address}, which may not be probed", found.address
                )
            new, line = _line(target, turn, now, old, found)
            self._seen[target.key] = new
            records.append(Record(line, f"{target.key}:{turn}"))
            notes[target.key] = orjson.dumps(asdict(new)).decode()
        if records and insist(lambda: deliver(records), stop, self._wait):
            self._checkpoints.save(self._id, notes)


def _line(target: Target, turn: int, now: int, old: Seen, found: Outcome) -> tuple[Seen, bytes]:
    """What is remembered from now on, and what is told."""
    failures = 0 if found.up else old.failures + 1
    known = target.answers or frozenset(old.answers)
    strange = [one for one in found.answers if known and one not in known]
    told: dict[str, object] = {
        "time": iso_time(now),
        "kind": target.kind,
        "target": target.name,
        "up": found.up,
        "duration_ms": found.duration_ms,
        "failures": failures,
        "reason": found.reason,
        "host": target.host,
        "port": target.port or None,
        "address": found.address,
        "status": found.status,
        "days_left": found.days_left,
    }
    if target.kind == "dns":
        told |= {"answers": list(found.answers), "changed": bool(strange)}
        if strange:
            told["before"] = sorted(known)
    line = orjson.dumps({name: value for name, value in told.items() if value not in (None, "")})
    answers = tuple(dict.fromkeys([*found.answers, *old.answers]))[:_KNOWN]
    return Seen(turn, failures, answers, probed=True), line


def _read(note: str | None) -> Seen:
    """Nothing where it cannot be read: then it is as if the target were new."""
    if note is None:
        return Seen()
    try:
        kept = orjson.loads(note)
        return Seen(int(kept["turn"]), int(kept["failures"]), tuple(map(str, kept["answers"])), probed=True)
    except (ValueError, KeyError, TypeError):
        return Seen()
