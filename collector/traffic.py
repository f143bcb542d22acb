"""Figures of what the systems do, for dashboards: counted of each event when it is read. Label values come from logs, so each label has
a bound: what comes beyond it is counted as `other`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TypeVar

from prometheus_client import Counter, Histogram

from soc import telemetry
from soc.model.event import Event, Fields
from soc.model.org import unit_of

OTHER = "other"
Metric = TypeVar("Metric", Counter, Histogram)
_UNITS, _SERVICES, _CARRIERS, _TARGETS = 100, 60, 12, 1_000
_STEPS = frozenset({"request", "submit", "dlr", "verify"})
_OUTCOMES = frozenset({"success", "failure", "unknown"})


@cache  # bounded, as label values are; `labels` takes longer than counting
def _of(metric: Metric, *labels: str) -> Metric:
    return metric.labels(*labels)


class Names:
    """The values that a label may have: the first `most` that come, and `other`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def of(self, value: object) -> str:
        if not isinstance(value, str) or not value:
            return OTHER
        if value not in self._known:
            if len(self._known) >= self._most:
                return OTHER
            self._known.add(value)
        return value


class Traffic:
    """Any thread may count: Prometheus' counters have their locks, and a name that is known twice is known once."""

    def __init__(self) -> None:
        self._units, self._datasets = Names(_UNITS), Names(20)
        self._services, self._carriers = Names(_SERVICES), Names(_CARRIERS)
        self._by_dataset: dict[str, Callable[[str, Fields], None]] = {
            "nginx.access": self._portal,
            "apache.access": self._portal,
            "otp.gateway": self._otp,
            "lgsp.gateway": self._lgsp,
            "probe.check": self._probe,
        }
        self._ends: dict[str, dict[str, float]] = {}  # unit -> probed target -> seconds until its certificate ends

    def count(self, event: Event) -> None:
        if event.dead:
            return
        unit = self._units.of(unit_of(event.org))
        _of(telemetry.TRAFFIC, unit, self._datasets.of(event.dataset)).inc()
        if more := self._by_dataset.get(event.dataset):
            more(unit, event.fields)

    def _portal(self, unit: str, fields: Fields) -> None:
        status = fields.get("http.response.status_code")
        kind = f"{status // 100}xx" if isinstance(status, int) and 100 <= status < 600 else OTHER
        _of(telemetry.PORTAL, unit, kind).inc()
        if (seconds := _seconds(fields)) is not None:
            _of(telemetry.PORTAL_SECONDS, unit).observe(seconds)

    def _otp(self, unit: str, fields: Fields) -> None:
        step, outcome = _among(_STEPS, fields.get("govsoc.otp.event")), _outcome(fields)
        _of(telemetry.OTP, unit, step, outcome).inc()
        if step == "dlr" and outcome != "unknown":
            _of(telemetry.OTP_CARRIER, self._carriers.of(fields.get("govsoc.otp.carrier")), outcome).inc()

    def _lgsp(self, unit: str, fields: Fields) -> None:
        service, outcome = self._services.of(fields.get("govsoc.lgsp.service_code")), _outcome(fields)
        _of(telemetry.LGSP, unit, outcome).inc()
        _of(telemetry.LGSP_SERVICE, service, outcome).inc()
        if (seconds := _seconds(fields)) is not None:
            _of(telemetry.LGSP_SECONDS, service).observe(seconds)

    def _probe(self, unit: str, fields: Fields) -> None:
        target, days = fields.get("govsoc.probe.target"), fields.get("govsoc.probe.days_left")
        if isinstance(target, str) and isinstance(days, int):
            ends = self._ends.setdefault(unit, {})
            if target in ends or len(ends) < _TARGETS:
                ends[target] = days * 86_400.0
                telemetry.CERTIFICATE.labels(unit).set(min(ends.values()))


def _seconds(fields: Fields) -> float | None:
    """`event.duration` is in nanoseconds."""
    value = fields.get("event.duration")
    return value / 1e9 if isinstance(value, int | float) and 0 <= value < 1e15 else None


def _outcome(fields: Fields) -> str:
    return _among(_OUTCOMES, fields.get("event.outcome"))


def _among(known: frozenset[str], value: object) -> str:
    return value if isinstance(value, str) and value in known else OTHER
