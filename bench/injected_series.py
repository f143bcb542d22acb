"""Minute series of a simulated province, straight from its sessions: what a live detector would make of the event stream.

Where a source says nothing in a minute its series are unknown there; where it speaks, a count of nothing is zero.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from statistics import median
from typing import NamedTuple

import numpy as np

from detector.score import Kind
from soc.simulator import Entry
from soc.simulator.line import MINUTE_MS


class Key(NamedTuple):
    component: str
    name: str  # as the truth names features
    group: str


_key = lru_cache(maxsize=None)(Key)  # made for each measure of each entry


@dataclass
class Series:
    """`values` and `weights` a minute; NaN is unknown."""

    kind: Kind
    values: np.ndarray
    weights: np.ndarray


@dataclass
class Minutes:
    """Collects entries, which come in order of time, into series."""

    start: int
    count: int
    series: dict[Key, Series] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._minute = 0
        self._spoke: set[str] = set()
        self._counts: dict[Key, int] = defaultdict(int)
        self._ratios: dict[Key, list[int]] = defaultdict(lambda: [0, 0])
        self._values: dict[Key, list[float]] = defaultdict(list)
        self._recent: tuple[set[object], set[object]] = (set(), set())  # correlation ids of this minute and the last

    def collect(self, entries: Iterable[Entry]) -> dict[Key, Series]:
        take = {"otp.gateway": self._otp, "lgsp.gateway": self._lgsp, "nginx.access": self._portal}
        for entry in entries:
            if taken := take.get(entry.stream):
                minute = (entry.at - self.start) // MINUTE_MS
                if minute != self._minute:
                    self._close(minute)
                taken(entry.fields, entry.clock / 1000)
        self._close(self.count)
        return self.series

    def _count(self, component: str, name: str, group: str = "", one: int = 1) -> None:
        self._counts[_key(component, name, group)] += one

    def _ratio(self, component: str, name: str, group: str, bad: bool) -> None:
        ratio = self._ratios[_key(component, name, group)]
        ratio[0] += bad
        ratio[1] += 1

    def _value(self, component: str, name: str, group: str, value: float) -> None:
        self._values[_key(component, name, group)].append(value)

    def _otp(self, f: dict[str, object], clock_s: float) -> None:
        event, carrier = f["event"], str(f["carrier"])
        self._spoke.add("otp")
        self._value("otp", "clock_skew", "", clock_s)
        self._count("otp", "otp.requests", one=event == "request")
        if event == "dlr":
            self._ratio("otp", "otp.delivery_ratio", carrier, f["status"] != "DELIVRD")
            self._value("otp", "otp.delivery_latency", carrier, float(str(f["latency_ms"])))
        elif event == "verify":
            self._ratio("otp", "otp.verify_ratio", "", f["status"] != "ok")

    def _lgsp(self, f: dict[str, object], clock_s: float) -> None:
        provider, consumer = str(f["provider"]), str(f["consumer"])
        bad = f["status"] not in (200, 404)
        self._spoke.add("lgsp")
        self._value("lgsp", "clock_skew", "", clock_s)
        self._count("lgsp", "lgsp.calls", provider)
        if org := f["consumer_org"]:
            self._count("lgsp", "lgsp.calls", f"org {org}")
        self._ratio("lgsp", "lgsp.error_ratio", provider, bad)
        self._ratio("lgsp", "lgsp.error_ratio", consumer, bad)
        if f["status"] == 200:
            self._value("lgsp", "lgsp.latency", provider, float(str(f["duration_ms"])))
        now, before = self._recent
        self._count("lgsp", "lgsp.duplicates", one=f["correlation_id"] in now or f["correlation_id"] in before)
        now.add(f["correlation_id"])

    def _portal(self, f: dict[str, object], _clock_s: float) -> None:
        status = int(str(f["status"]))
        self._spoke.add("portal")
        self._count("portal", "portal.requests")
        self._ratio("portal", "portal.error_ratio", "", status >= 500)
        self._ratio("portal", "portal.refused_ratio", "", 400 <= status < 500)
        if (took_ms := 1000 * float(str(f["seconds"]))) > 20:  # pages, not files
            self._value("portal", "portal.latency", "", took_ms)

    def _close(self, minute: int) -> None:
        at = self._minute
        if at < self.count:
            for key in self._counts:
                if key.component in self._spoke:
                    self._of(key, Kind.COUNT).values[at] = self._counts[key]
                self._counts[key] = 0
            for key, (bad, total) in self._ratios.items():
                self._put(key, Kind.RATIO, at, bad / total, total)
            for key, values in self._values.items():
                kind = Kind.GAUGE if key.name == "clock_skew" else Kind.LATENCY
                self._put(key, kind, at, median(values), len(values))
        self._ratios.clear()
        self._values.clear()
        self._recent = (set(), self._recent[0] if minute == at + 1 else set())
        self._spoke.clear()
        self._minute = minute

    def _of(self, key: Key, kind: Kind) -> Series:
        if key not in self.series:
            self.series[key] = Series(kind, np.full(self.count, np.nan), np.ones(self.count))
        return self.series[key]

    def _put(self, key: Key, kind: Kind, at: int, value: float, weight: int) -> None:
        series = self._of(key, kind)
        series.values[at], series.weights[at] = value, weight
