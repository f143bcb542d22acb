"""Faults: what goes wrong with a service, as a change of the entries of those who use it at that time.

Each is a function of its begin (ms), chance, the scene and options with defaults; a plan names them by the function's name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random

from soc.simulator import otp, portal
from soc.simulator.episode import Effect, Episode, Incident, Scene
from soc.simulator.fault import each, fault, one_of
from soc.simulator.lgsp_faults import (
    lgsp_certificate,
    lgsp_duplicates,
    lgsp_link_flaps,
    lgsp_quota,
    lgsp_slow,
    lgsp_timeouts,
    slow_leak,
)
from soc.simulator.line import DAY_MS, FILES, MINUTE_MS, Entry
from soc.simulator.people import CARRIERS, Citizen

_PORTAL, _OTP, _LGSP = (
    frozenset({"nginx.access", "nginx.error"}),
    frozenset({"otp.gateway"}),
    frozenset({"lgsp.gateway"}),
)
_ASKED_FOR = portal.CODES[:3]  # of the others a small portal sees too few requests to tell
_BIG = tuple(name for name, (share, _) in CARRIERS.items() if share > 0.1)
_RETRY_AFTER_MS = 60_000
_WHO = ("phone", "carrier", "account", "client_ip")


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

    return fault("otp_loss", Effect(at, end, _OTP, change), "otp.delivery_ratio", govsoc__otp__carrier=carrier)


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

    return fault("otp_late_codes", Effect(at, end, _OTP, change), "otp.delivery_latency", govsoc__otp__carrier=carrier)


def otp_verify_failures(at: int, rng: Random, _scene: Scene, *, minutes: float = 60, share: float = 0.4) -> Episode:
    """The check refuses a share of codes that are right, at every carrier."""
    end = at + int(minutes * MINUTE_MS)

    def change(entry: Entry) -> Iterable[Entry]:
        if entry.fields["event"] == "verify" and entry.fields["status"] == "ok" and rng.random() < share:
            entry = entry._replace(fields=entry.fields | {"status": "wrong"})
        return (entry,)

    return fault("otp_verify_failures", Effect(at, end, _OTP, each(at, end, change)), "otp.verify_ratio")


def portal_errors(at: int, rng: Random, _scene: Scene, *, minutes: float = 30, share: float = 0.3) -> Episode:
    """A share of the portal's pages ends in an error of the server."""
    end = at + int(minutes * MINUTE_MS)

    def change(entry: Entry) -> Iterable[Entry]:
        if entry.stream == "nginx.access" and rng.random() < share:
            entry = entry._replace(fields=entry.fields | {"status": rng.choice((500, 502, 502, 503)), "size": 157})
        return (entry,)

    return fault("portal_errors", Effect(at, end, _PORTAL, each(at, end, change)), "portal.error_ratio", "portal")


def portal_slow(at: int, rng: Random, _scene: Scene, *, minutes: float = 60, factor: float = 3) -> Episode:
    """Pages take several times as long."""
    end = at + int(minutes * MINUTE_MS)

    def change(entry: Entry) -> Iterable[Entry]:
        if entry.stream == "nginx.access":
            took = float(str(entry.fields["seconds"])) * factor * rng.uniform(0.9, 1.1)
            entry = entry._replace(fields=entry.fields | {"seconds": took})
        return (entry,)

    return fault("portal_slow", Effect(at, end, _PORTAL, each(at, end, change)), "portal.latency", "portal")


def procedure_errors(
    at: int, rng: Random, _scene: Scene, *, minutes: float = 120, procedure: str = "", share: float = 0.9
) -> Episode:
    """What answers for one procedure fails; the rest of the portal does well."""
    procedure, end = one_of(procedure, portal.CODES, rng, "procedure", _ASKED_FOR), at + int(minutes * MINUTE_MS)
    page = f"/thu-tuc/{procedure}"

    def change(entry: Entry) -> Iterable[Entry]:
        if entry.stream == "nginx.access" and entry.fields["target"] == page and rng.random() < share:
            entry = entry._replace(fields=entry.fields | {"status": rng.choice((500, 502, 502, 504)), "size": 157})
        return (entry,)

    effect = Effect(at, end, _PORTAL, each(at, end, change))
    return fault("procedure_errors", effect, "procedure.error_ratio", "portal", govsoc__procedure__code=procedure)


def clock_skew(
    at: int, rng: Random, _scene: Scene, *, minutes: float = 180, stream: str = "lgsp.gateway", seconds: float = 240
) -> Episode:
    """A gateway's clock is ahead (with negative `seconds`, behind)."""
    stream, end = one_of(stream, FILES, rng, "stream"), at + int(minutes * MINUTE_MS)

    def change(entry: Entry) -> Iterable[Entry]:
        return (entry._replace(clock=int(seconds * 1000)),) if entry.stream == stream else (entry,)

    effect = Effect(at, end, frozenset({stream}), each(at, end, change))
    return fault("clock_skew", effect, "clock_skew")


def collector_outage(
    at: int, rng: Random, _scene: Scene, *, minutes: float = 45, stream: str = "otp.gateway"
) -> Episode:
    """Nothing of a source arrives, whatever its system does: a silent source, not an anomaly."""
    stream, end = one_of(stream, FILES, rng, "stream"), at + int(minutes * MINUTE_MS)
    streams = _PORTAL if stream in _PORTAL else frozenset({stream})
    effect = Effect(at, end, streams, each(at, end, lambda entry: () if entry.stream == stream else (entry,)))
    return fault("collector_outage", effect, "silence", expect="silent")


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

    effect = Effect(at, end, _LGSP, each(at, end, change))
    return fault("merge", effect, "lgsp.calls", expect="none", govsoc__lgsp__consumer_org=commune)


FAULTS: dict[str, Callable[..., Episode]] = {
    make.__name__: make
    for make in (
        otp_loss, otp_late_codes, otp_verify_failures, lgsp_slow, lgsp_timeouts, lgsp_certificate, lgsp_quota, lgsp_link_flaps,
        lgsp_duplicates, portal_errors, portal_slow, procedure_errors, slow_leak, clock_skew, collector_outage, surge, merge,
    )
}  # fmt: skip
