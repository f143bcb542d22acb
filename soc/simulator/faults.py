"""Faults: what goes wrong with a service, as a change of the entries of those who use it at that time.

Each is a function of its begin (ms), chance, the scene and options with defaults; a plan names them by the function's name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random

from soc.errors import ConfigError
from soc.simulator import lgsp, otp
from soc.simulator.episode import Effect, Episode, Incident, Scene
from soc.simulator.line import DAY_MS, FILES, MINUTE_MS, Entry
from soc.simulator.people import CARRIERS, Citizen

_PORTAL, _OTP, _LGSP = (
    frozenset({"nginx.access", "nginx.error"}),
    frozenset({"otp.gateway"}),
    frozenset({"lgsp.gateway"}),
)
PROVIDERS = tuple(dict.fromkeys(service.provider for service in lgsp.SERVICES))
# Provider -> the system of domain.md that it is.
SYSTEMS = {
    "CSDLQG-DANCU": "dancu",
    "HOTICH-BTP": "hotich",
    "DATDAI-HY": "datdai",
    "BHXH-VN": "csdlqg",
    "TRUCVB": "vanban",
}
_BIG = tuple(name for name, (share, _) in CARRIERS.items() if share > 0.1)
_RETRY_AFTER_MS = 60_000
_WHO = ("phone", "carrier", "account", "client_ip")
Change = Callable[[Entry], Iterable[Entry]]


def one_of(value: str, of: Iterable[str], rng: Random, what: str, choose: Iterable[str] | None = None) -> str:
    """`value` if it is one of them, one by chance if it is empty. Raises `ConfigError`."""
    known = tuple(of)
    if value and value not in known:
        raise ConfigError(f"{what} {value!r} is unknown: choose one of {', '.join(known)}")
    return value or rng.choice(tuple(choose or known))


def lose(entries: list[Entry], rng: Random, carrier: str, start: int, end: int, share: float = 1.0) -> list[Entry]:
    """The entries of codes, of which a share is not delivered at one carrier in that time: nobody enters them."""
    lost: set[object] = set()
    kept: list[Entry] = []
    for entry in entries:
        f = entry.fields
        if f["event"] == "dlr" and f["carrier"] == carrier and f["status"] == "DELIVRD":
            sent = entry.at - int(str(f["latency_ms"]))
            if start <= sent < end and rng.random() < share:
                wait = rng.randrange(20_000, 60_000)
                late = entry._replace(at=sent + wait, fields=f | {"latency_ms": wait})
                kept.append(otp.undelivered(late, rng, ("EXPIRED", "EXPIRED", "UNDELIV")))
                lost.add(f["request_id"])
                continue
        if f["request_id"] not in lost or f["event"] != "verify":
            kept.append(entry)
    return kept


def _each(start: int, end: int, change: Change) -> Callable[[list[Entry]], list[Entry]]:
    """A change of single entries of a session."""
    return lambda entries: [
        new for entry in entries for new in (change(entry) if start <= entry.at < end else (entry,))
    ]


def _fault(kind: str, effect: Effect, feature: str, system: str = "", expect: str = "anomaly", **who: str) -> Episode:
    named = {name.replace("__", "."): value for name, value in who.items()}
    stream = min(effect.streams)
    return Episode(Incident(kind, effect.start, effect.end, stream, named, feature, system, expect), effect=effect)


def otp_loss(
    at: int, rng: Random, _scene: Scene, *, minutes: float = 60, carrier: str = "", share: float = 0.3
) -> Episode:
    """A carrier loses a share of the messages; half of the citizens ask again after a minute."""
    carrier, end = one_of(carrier, CARRIERS, rng, "carrier", _BIG), at + int(minutes * MINUTE_MS)

    def change(entries: list[Entry]) -> list[Entry]:
        after = lose(entries, rng, carrier, at, end, share)
        first = entries[0]
        if len(after) < len(entries) and rng.random() < 0.5:
            phone, name, account, address = (str(first.fields[key]) for key in _WHO)
            who = Citizen(phone, name, account, address, str(first.fields["user_agent"]))
            after += lose(otp.attempt(first.at + _RETRY_AFTER_MS, rng, who, 2), rng, carrier, at, end, share)
        return after

    return _fault("otp_loss", Effect(at, end, _OTP, change), "otp.delivery_ratio", govsoc__otp__carrier=carrier)


def otp_late_codes(
    at: int, rng: Random, _scene: Scene, *, minutes: float = 60, carrier: str = "", factor: float = 5
) -> Episode:
    """Messages of a carrier arrive, but several times as late; so do the answers."""
    carrier, end = one_of(carrier, CARRIERS, rng, "carrier", _BIG), at + int(minutes * MINUTE_MS)

    def change(entries: list[Entry]) -> list[Entry]:
        late_ms, changed = 0, []
        for entry in entries:
            f = entry.fields
            if f["event"] == "dlr" and f["carrier"] == carrier and at <= entry.at < end:
                took = int(str(f["latency_ms"]))
                late_ms = int(took * (factor - 1))
                f = f | {"latency_ms": took + late_ms}
            changed.append(entry._replace(at=entry.at + late_ms, fields=f))
        return changed

    return _fault("otp_late_codes", Effect(at, end, _OTP, change), "otp.delivery_latency", govsoc__otp__carrier=carrier)


def otp_verify_failures(at: int, rng: Random, _scene: Scene, *, minutes: float = 60, share: float = 0.4) -> Episode:
    """The check refuses a share of codes that are right, at every carrier."""
    end = at + int(minutes * MINUTE_MS)

    def change(entry: Entry) -> Iterable[Entry]:
        if entry.fields["event"] == "verify" and entry.fields["status"] == "ok" and rng.random() < share:
            entry = entry._replace(fields=entry.fields | {"status": "wrong"})
        return (entry,)

    return _fault("otp_verify_failures", Effect(at, end, _OTP, _each(at, end, change)), "otp.verify_ratio")


def _of(provider: str, rng: Random) -> tuple[str, str]:
    provider = one_of(provider, PROVIDERS, rng, "provider")
    return provider, SYSTEMS.get(provider, "lgsp")


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

    effect = Effect(at, end, _LGSP, _each(at, end, change))
    return _fault("lgsp_slow", effect, "lgsp.latency", system, govsoc__lgsp__provider=provider)


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

    effect = Effect(at, end, _LGSP, _each(at, end, change))
    system = SYSTEMS.get(who.get("provider", ""), "lgsp")
    named = {f"govsoc__lgsp__{name}": value for name, value in who.items()}
    return _fault(kind, effect, "lgsp.error_ratio", system, **named)


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

    effect = Effect(at, end, _LGSP, _each(at, end, change))
    return _fault("lgsp_duplicates", effect, "lgsp.duplicates", govsoc__lgsp__consumer=consumer)


def portal_errors(at: int, rng: Random, _scene: Scene, *, minutes: float = 30, share: float = 0.3) -> Episode:
    """A share of the portal's pages ends in an error of the server."""
    end = at + int(minutes * MINUTE_MS)

    def change(entry: Entry) -> Iterable[Entry]:
        if entry.stream == "nginx.access" and rng.random() < share:
            entry = entry._replace(fields=entry.fields | {"status": rng.choice((500, 502, 502, 503)), "size": 157})
        return (entry,)

    return _fault("portal_errors", Effect(at, end, _PORTAL, _each(at, end, change)), "portal.error_ratio", "portal")


def portal_slow(at: int, rng: Random, _scene: Scene, *, minutes: float = 60, factor: float = 3) -> Episode:
    """Pages take several times as long."""
    end = at + int(minutes * MINUTE_MS)

    def change(entry: Entry) -> Iterable[Entry]:
        if entry.stream == "nginx.access":
            took = float(str(entry.fields["seconds"])) * factor * rng.uniform(0.9, 1.1)
            entry = entry._replace(fields=entry.fields | {"seconds": took})
        return (entry,)

    return _fault("portal_slow", Effect(at, end, _PORTAL, _each(at, end, change)), "portal.latency", "portal")


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
    effect = Effect(at, end, _LGSP, _each(at, end, change))
    return _fault("slow_leak", effect, feature, system, govsoc__lgsp__provider=provider)


def clock_skew(
    at: int, rng: Random, _scene: Scene, *, minutes: float = 180, stream: str = "lgsp.gateway", seconds: float = 240
) -> Episode:
    """A gateway's clock is ahead (with negative `seconds`, behind)."""
    stream, end = one_of(stream, FILES, rng, "stream"), at + int(minutes * MINUTE_MS)

    def change(entry: Entry) -> Iterable[Entry]:
        return (entry._replace(clock=int(seconds * 1000)),) if entry.stream == stream else (entry,)

    effect = Effect(at, end, frozenset({stream}), _each(at, end, change))
    return _fault("clock_skew", effect, "clock_skew")


def collector_outage(
    at: int, rng: Random, _scene: Scene, *, minutes: float = 45, stream: str = "otp.gateway"
) -> Episode:
    """Nothing of a source arrives, whatever its system does: a silent source, not an anomaly."""
    stream, end = one_of(stream, FILES, rng, "stream"), at + int(minutes * MINUTE_MS)
    streams = _PORTAL if stream in _PORTAL else frozenset({stream})
    effect = Effect(at, end, streams, _each(at, end, lambda entry: () if entry.stream == stream else (entry,)))
    return _fault("collector_outage", effect, "silence", expect="silent")


# Option of `surge` -> the sessions that there are more of.
_SURGE = {"portal": ("visits",), "otp": ("sign_ins",), "lgsp": ("system_calls", "desk_work")}


def surge(at: int, rng: Random, _scene: Scene, *, hours: float = 10, system: str = "", factor: float = 3) -> Episode:
    """A day that was announced: several times as many citizens at the portal and its codes, or at the given system alone."""
    end = at + int(hours * 60 * MINUTE_MS)
    of = (one_of(system, _SURGE, rng, "system"),) if system else ("portal", "otp")
    stream = {"portal": "nginx.access", "otp": "otp.gateway", "lgsp": "lgsp.gateway"}[of[0]]
    incident = Incident("surge", at, end, stream, {}, f"{of[0]}.requests", "+".join(of), "none")
    return Episode(incident, volume={name: factor for key in of for name in _SURGE[key]})


def merge(
    at: int, _rng: Random, _scene: Scene, *, commune: str = "H27.21", into: str = "H27.22", days: float = 365
) -> Episode:
    """A commune is merged into another: its calls bear the other's agency code from now on. An order, not an anomaly."""
    end = at + int(days * DAY_MS)

    def change(entry: Entry) -> Iterable[Entry]:
        if entry.fields["consumer_org"] == commune:
            entry = entry._replace(fields=entry.fields | {"consumer_org": into})
        return (entry,)

    effect = Effect(at, end, _LGSP, _each(at, end, change))
    return _fault("merge", effect, "lgsp.calls", expect="none", govsoc__lgsp__consumer_org=commune)


FAULTS: dict[str, Callable[..., Episode]] = {
    make.__name__: make
    for make in (
        otp_loss, otp_late_codes, otp_verify_failures, lgsp_slow, lgsp_timeouts, lgsp_certificate, lgsp_quota, lgsp_link_flaps,
        lgsp_duplicates, portal_errors, portal_slow, slow_leak, clock_skew, collector_outage, surge, merge,
    )
}  # fmt: skip
