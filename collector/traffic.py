"""Figures of what the systems do, for dashboards: counted of each event when it is read. Label values come from logs, so each label has
a bound: what comes beyond it is counted as `other`."""

from __future__ import annotations

from collections import Counter as Counted
from collections.abc import Callable
from functools import cache, partial
from typing import TypeVar

from prometheus_client import Counter, Histogram

from soc import telemetry
from soc.model.event import Event, Fields
from soc.model.org import unit_of

OTHER = "other"
Metric = TypeVar("Metric", Counter, Histogram)
_UNITS, _SERVICES, _CARRIERS, _TARGETS = 100, 60, 12, 1_000
_DAY_S, _PROBED_MS = 86_400.0, 86_400_000  # a target that was not probed for a day is none any more
_STEPS = frozenset({"request", "submit", "dlr", "verify"})
_OUTCOMES = frozenset({"success", "failure", "unknown"})


@cache  # bounded, as label values are; `labels` takes longer than counting
def _of(metric: Metric, *labels: str) -> Metric:
    return metric.labels(*labels)


class Names:
    """The values that a label may have: the first `most` that come, of each unit `each` at most, so that none takes the room of all, and
    `other`. `met` is told of a new one."""

    def __init__(self, most: int, each: int = 0, met: Callable[[str], None] = lambda _: None) -> None:
        self._most, self._each, self._met = most, each or most, met
        self._known: set[str] = set()
        self._by_unit = Counted[str]()

    def of(self, value: object, unit: str = "") -> str:
        if not isinstance(value, str) or not value:
            return OTHER
        if value not in self._known:
            if len(self._known) >= self._most or self._by_unit[unit] >= self._each:
                telemetry.TRAFFIC_OTHER.inc()
                return OTHER
            self._known.add(value)
            self._by_unit[unit] += 1
            self._met(value)
        return value


class Traffic:
    """Any thread may count: Prometheus' counters have their locks, and a name that is known twice is known once."""

    def __init__(self) -> None:
        self._units, self._datasets = Names(_UNITS), Names(20)
        # Both outcomes are there from the first on: a share of what never succeeded is 0, and not unknown.
        self._services = Names(_SERVICES, _SERVICES // 3, partial(_born, telemetry.LGSP_SERVICE))
        self._carriers = Names(_CARRIERS, _CARRIERS // 2, partial(_born, telemetry.OTP_CARRIER))
        self._by_dataset: dict[str, Callable[[str, Fields, int], None]] = {
            "nginx.access": self._portal,
            "apache.access": self._portal,
            "otp.gateway": self._otp,
            "lgsp.gateway": self._lgsp,
            "probe.check": self._probe,
        }
        # Unit -> target -> seconds that its certificate has left, and as of when (ms).
        self._ends: dict[str, dict[str, tuple[float, int]]] = {}

    def count(self, event: Event) -> None:
        if event.dead:
            return
        unit = self._units.of(unit_of(event.org))
        _of(telemetry.TRAFFIC, unit, self._datasets.of(event.dataset)).inc()
        if more := self._by_dataset.get(event.dataset):
            more(unit, event.fields, event.ts)

    def _portal(self, unit: str, fields: Fields, _: int) -> None:
        status = fields.get("http.response.status_code")
        kind = f"{status // 100}xx" if isinstance(status, int) and 100 <= status < 600 else OTHER
        _of(telemetry.PORTAL, unit, kind).inc()
        if (seconds := _seconds(fields)) is not None:
            _of(telemetry.PORTAL_SECONDS, unit).observe(seconds)

    def _otp(self, unit: str, fields: Fields, _: int) -> None:
        step, outcome = _among(_STEPS, fields.get("govsoc.otp.event")), _outcome(fields)
        _of(telemetry.OTP, unit, step, outcome).inc()
        if step == "dlr" and outcome != "unknown":
            _of(telemetry.OTP_CARRIER, self._carriers.of(fields.get("govsoc.otp.carrier"), unit), outcome).inc()

    def _lgsp(self, unit: str, fields: Fields, _: int) -> None:
        service, outcome = self._services.of(fields.get("govsoc.lgsp.service_code"), unit), _outcome(fields)
        _of(telemetry.LGSP, unit, outcome).inc()
        _of(telemetry.LGSP_SERVICE, service, outcome).inc()
        if (seconds := _seconds(fields)) is not None:
            _of(telemetry.LGSP_SECONDS, service).observe(seconds)

    def _probe(self, unit: str, fields: Fields, ts: int) -> None:
        target, days = fields.get("govsoc.probe.target"), fields.get("govsoc.probe.days_left")
        if days is None and "expired" in str(fields.get("error.message", "")):
            days = -1  # it was refused
        if isinstance(target, str) and isinstance(days, int):
            known = self._ends.get(unit, {})
            ends = {name: one for name, one in known.items() if ts - one[1] < _PROBED_MS}
            if target in ends or len(ends) < _TARGETS:
                ends[target] = days * _DAY_S, ts
            self._ends[unit] = ends
            telemetry.CERTIFICATE.labels(unit).set(min((left for left, _ in ends.values()), default=days * _DAY_S))


def _born(metric: Counter, name: str) -> None:
    for outcome in ("success", "failure"):
        _of(metric, name, outcome)


def _seconds(fields: Fields) -> float | None:
    """`event.duration` is in nanoseconds."""
    value = fields.get("event.duration")
    return value / 1e9 if isinstance(value, int | float) and 0 <= value < 1e15 else None


def _outcome(fields: Fields) -> str:
    return _among(_OUTCOMES, fields.get("event.outcome"))


def _among(known: frozenset[str], value: object) -> str:
    return value if isinstance(value, str) and value in known else OTHER
