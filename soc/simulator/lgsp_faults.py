"""Faults of the integration platform and of those behind it, as those of `faults.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random

from soc.simulator import lgsp
from soc.simulator.episode import Effect, Episode, Scene
from soc.simulator.fault import each, fault, one_of
from soc.simulator.line import DAY_MS, MINUTE_MS, Entry

_LGSP = frozenset({"lgsp.gateway"})
PROVIDERS = tuple(dict.fromkeys(service.provider for service in lgsp.SERVICES))
# Provider -> the system of domain.md that it is.
_SYSTEMS = {
    "CSDLQG-DANCU": "dancu",
    "HOTICH-BTP": "hotich",
    "DATDAI-HY": "datdai",
    "BHXH-VN": "csdlqg",
    "TRUCVB": "vanban",
}


def system_of(provider: str) -> str:
    return _SYSTEMS.get(provider, "lgsp")


def _of(provider: str, rng: Random) -> tuple[str, str]:
    provider = one_of(provider, PROVIDERS, rng, "provider")
    return provider, system_of(provider)


def slower(entry: Entry, factor: float) -> Entry:
    """An LGSP call whose provider took longer."""
    f = entry.fields
    more = int(int(str(f["backend_ms"])) * (factor - 1))
    took = {"backend_ms": int(str(f["backend_ms"])) + more, "duration_ms": int(str(f["duration_ms"])) + more}
    return entry._replace(fields=f | took)


def lgsp_slow(
    at: int, rng: Random, _scene: Scene, *, minutes: float = 120, provider: str = "", factor: float = 2
) -> Episode:
    """A provider takes several times as long to answer."""
    (provider, system), end = _of(provider, rng), at + int(minutes * MINUTE_MS)

    def change(entry: Entry) -> Iterable[Entry]:
        if entry.fields["provider"] == provider and entry.fields["status"] != 504:
            entry = slower(entry, factor)
        return (entry,)

    effect = Effect(at, end, _LGSP, each(at, end, change))
    return fault("lgsp_slow", effect, "lgsp.latency", system, govsoc__lgsp__provider=provider)


def _failing(
    kind: str, at: int, minutes: float, rng: Random, share: float, status: int, who: dict[str, str],
    reason: tuple[str, str] | None = None, when: Callable[[int], bool] = lambda _at: True,
) -> Episode:  # fmt: skip
    """A share of the calls that have these fields fails. `when`: at which ms it is so."""
    end = at + int(minutes * MINUTE_MS)

    def change(entry: Entry) -> Iterable[Entry]:
        f = entry.fields
        if when(entry.at) and all(f[name] == value for name, value in who.items()) and rng.random() < share:
            f = dict(f)
            lgsp.refuse(f, rng, status, reason)
            entry = entry._replace(fields=f)
        return (entry,)

    effect = Effect(at, end, _LGSP, each(at, end, change))
    system = system_of(who.get("provider", ""))
    named = {f"govsoc__lgsp__{name}": value for name, value in who.items()}
    return fault(kind, effect, "lgsp.error_ratio", system, **named)


def lgsp_timeouts(
    at: int, rng: Random, _scene: Scene, *, minutes: float = 60, provider: str = "", share: float = 0.4
) -> Episode:
    """A provider does not answer a share of the calls in time."""
    return _failing("lgsp_timeouts", at, minutes, rng, share, 504, {"provider": _of(provider, rng)[0]})


def lgsp_certificate(at: int, rng: Random, _scene: Scene, *, minutes: float = 90, provider: str = "") -> Episode:
    """A provider's certificate has expired."""
    reason = ("101503", "SSLHandshakeException: PKIX path validation failed: certificate expired")
    return _failing("lgsp_certificate", at, minutes, rng, 1.0, 500, {"provider": _of(provider, rng)[0]}, reason)


def lgsp_quota(
    at: int, rng: Random, _scene: Scene, *, minutes: float = 60, consumer: str = "CU-DVC", share: float = 0.5
) -> Episode:
    """A consumer is throttled."""
    consumer = one_of(consumer, lgsp.CONSUMERS, rng, "consumer")
    return _failing("lgsp_quota", at, minutes, rng, share, 429, {"consumer": consumer})


def lgsp_link_flaps(
    at: int,
    rng: Random,
    _scene: Scene,
    *,
    minutes: float = 60,
    provider: str = "",
    every_s: float = 240,
    down_s: float = 90,
) -> Episode:
    """The line to a provider goes down and comes back, again and again."""

    def down(when: int) -> bool:
        return (when - at) % int(every_s * 1000) < down_s * 1000

    return _failing("lgsp_link_flaps", at, minutes, rng, 1.0, 502, {"provider": _of(provider, rng)[0]}, when=down)


def lgsp_duplicates(
    at: int, rng: Random, _scene: Scene, *, minutes: float = 60, consumer: str = "CU-DVC", share: float = 0.5
) -> Episode:
    """A consumer sends a share of its calls twice: the same correlation id within a second."""
    consumer, end = one_of(consumer, lgsp.CONSUMERS, rng, "consumer"), at + int(minutes * MINUTE_MS)

    def change(entry: Entry) -> Iterable[Entry]:
        yield entry
        if entry.fields["consumer"] == consumer and rng.random() < share:
            yield entry._replace(at=entry.at + rng.randrange(200, 900))

    effect = Effect(at, end, _LGSP, each(at, end, change))
    return fault("lgsp_duplicates", effect, "lgsp.duplicates", govsoc__lgsp__consumer=consumer)


def slow_leak(
    at: int,
    rng: Random,
    _scene: Scene,
    *,
    days: float = 7,
    provider: str = "",
    measure: str = "success",
    percent: float = 2,
) -> Episode:
    """A provider gets a little worse each day: `percent` more of its calls fail, or take that much longer."""
    (provider, system), end = _of(provider, rng), at + int(days * DAY_MS)
    one_of(measure, ("success", "latency"), rng, "measure")

    def change(entry: Entry) -> Iterable[Entry]:
        f, worse = entry.fields, percent / 100 * (entry.at - at) / DAY_MS
        if f["provider"] == provider:
            if measure == "latency":
                entry = slower(entry, 1 + worse)
            elif f["status"] == 200 and rng.random() < worse:
                f = dict(f)
                lgsp.refuse(f, rng, 500)
                entry = entry._replace(fields=f)
        return (entry,)

    feature = "lgsp.latency" if measure == "latency" else "lgsp.error_ratio"
    effect = Effect(at, end, _LGSP, each(at, end, change))
    return fault("slow_leak", effect, feature, system, govsoc__lgsp__provider=provider)
