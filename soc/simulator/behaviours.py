"""Quiet misuse: what one person or machine does that is unlike itself, mostly below what a rule would name.

Each is a function of its begin (ms), chance, the scene and options with defaults; a plan names them by the function's name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from soc.simulator import lgsp, otp, portal
from soc.simulator.calendar import DESKS, usual
from soc.simulator.episode import Episode, Scene, episode, times
from soc.simulator.fault import one_of
from soc.simulator.lgsp_faults import system_of
from soc.simulator.line import MINUTE_MS, Entry
from soc.simulator.people import AGENTS, Citizen, Officer, attacker_address, home_address, identity, phone

_LOOKUPS = lgsp.SERVICES[:5]
_PEOPLE = lgsp.SERVICES[0]


def _officer(rng: Random, scene: Scene) -> Officer:
    """Somebody whose days are ordinary ones: whoever hardly works has no habit to leave."""
    return rng.choice([officer for officer in scene.officers if 0.7 < officer.share < 1.5])


def _lookup(at: int, rng: Random, officer: Officer, service: lgsp.Service, **more: object) -> Entry:
    fields: dict[str, object] = {"consumer_org": officer.commune, "user": officer.name, "subject": identity(rng)}
    return lgsp.call(at, rng, service, "CU-MOTCUA", **(fields | more))  # type: ignore[arg-type]


def _open_times(at: int, rng: Random, count: int, hours: float) -> Iterator[int]:
    """Moments within the next hours at which desks are open, in order; at any time if they are closed throughout."""
    minutes = [at + n * MINUTE_MS for n in range(int(hours * 60))]
    minutes = [minute for minute in minutes if usual(DESKS, minute) > 0.3] or minutes
    return iter(sorted(rng.choice(minutes) + rng.randrange(MINUTE_MS) for _ in range(count)))


def officer_reads_many(
    at: int, rng: Random, scene: Scene, *, factor: float = 5, usual_a_day: float = 13, hours: float = 9
) -> Episode:
    """An officer looks up several times as many citizens as on other days, at ordinary hours and pace of a busy desk."""
    officer = _officer(rng, scene)
    count = int((factor - 1) * usual_a_day * officer.share) + 1
    entries = [_lookup(when, rng, officer, rng.choice(_LOOKUPS)) for when in _open_times(at, rng, count, hours)]
    return episode("officer_reads_many", entries, "user.distinct_citizens", "dancu", user__id=officer.name)


def off_hours_lookups(at: int, rng: Random, scene: Scene, *, citizens: int = 30, minutes: float = 120) -> Episode:
    """An officer looks up citizens when all desks are closed."""
    officer = _officer(rng, scene)
    every = minutes * MINUTE_MS / citizens
    entries = [_lookup(when, rng, officer, _PEOPLE) for when in times(at, rng, citizens, every)]
    return episode("off_hours_lookups", entries, "user.hour", "dancu", user__id=officer.name)


def new_pair(
    at: int, rng: Random, _scene: Scene, *, service: str = "tra-cuu-thua-dat", calls: int = 40, minutes: float = 120
) -> Episode:
    """A consumer, the exchange of documents, calls a service (by its code) that it never called."""
    codes = {one.code: one for one in lgsp.SERVICES}
    called = codes[one_of(service, codes, rng, "service")]
    every = minutes * MINUTE_MS / calls
    entries = [
        lgsp.call(when, rng, called, "CU-VANBAN", subject=identity(rng)) for when in times(at, rng, calls, every)
    ]
    return episode(
        "new_pair",
        entries,
        "consumer.new_service",
        system_of(called.provider),
        govsoc__lgsp__consumer="CU-VANBAN",
    )


def id_walk(at: int, rng: Random, scene: Scene, *, citizens: int = 50, minutes: float = 150) -> Episode:
    """An officer goes through citizen ids one after the other; most belong to nobody."""
    officer, first = _officer(rng, scene), int(identity(rng)[:6] + f"{rng.randrange(900_000):06d}")
    entries = []
    for i, when in enumerate(times(at, rng, citizens, minutes * MINUTE_MS / citizens)):
        status = 200 if rng.random() < 0.3 else 404
        entries.append(_lookup(when, rng, officer, _PEOPLE, status=status, subject=f"{first + i:012d}"))
    return episode("id_walk", entries, "user.sequential_ids", "dancu", user__id=officer.name)


def file_walk(at: int, rng: Random, _scene: Scene, *, files: int = 240, minutes: float = 60) -> Episode:
    """A client reads the files of others at the portal by counting through their numbers."""
    address, agent, prefix = home_address(rng), rng.choice(AGENTS), f"H27.{rng.randrange(10, 99)}-260301"
    entries = [
        portal.request(
            when, address, agent, f"/ho-so/{prefix}-{i:04d}", 200 if rng.random() < 0.8 else 404, 18_300, seconds=0.2
        )
        for i, when in enumerate(times(at, rng, files, minutes * MINUTE_MS / files))
    ]
    return episode("file_walk", entries, "client.sequential_ids", "portal", source__ip=address)


def slow_pumping(at: int, rng: Random, _scene: Scene, *, phones: int = 150, minutes: float = 120) -> Episode:
    """Codes for many phones of one prefix from one address, too slowly for a rule that counts within minutes."""
    address, prefix = attacker_address(rng), phone(rng, "vietnamobile")[:6]
    entries: list[Entry] = []
    for i, when in enumerate(times(at, rng, phones, minutes * MINUTE_MS / phones)):
        who = Citizen(f"{prefix}{i:04d}", "vietnamobile", identity(rng), address, "okhttp/4.12.0")
        entries += [entry for entry in otp.attempt(when, rng, who) if entry.fields["event"] != "verify"]
    return episode("slow_pumping", entries, "client.distinct_phones", "otp", source__ip=address)


def credential_stuffing(at: int, rng: Random, _scene: Scene, *, tries: int = 300, minutes: float = 60) -> Episode:
    """Stolen passwords are tried at the portal from one address; some fit."""
    address, agent = attacker_address(rng), rng.choice(AGENTS)
    entries = [
        portal.request(
            when, address, agent, "/dang-nhap", 302 if rng.random() < 0.02 else 401, 310, portal.SITE, "POST", 0.12
        )
        for when in times(at, rng, tries, minutes * MINUTE_MS / tries)
    ]
    return episode("credential_stuffing", entries, "client.failures", "portal", source__ip=address)


def mass_export(
    at: int, rng: Random, scene: Scene, *, calls: int = 25, records: int = 400, minutes: float = 120
) -> Episode:
    """An officer takes the land register page by page."""
    officer, service = _officer(rng, scene), lgsp.SERVICES[3]
    entries = []
    for when in times(at, rng, calls, minutes * MINUTE_MS / calls):
        taken = int(records * rng.uniform(0.6, 1.4))
        entries.append(_lookup(when, rng, officer, service, records=taken, response_bytes=taken * 900))
    return episode("mass_export", entries, "user.records", "datdai", user__id=officer.name)


def key_elsewhere(at: int, rng: Random, _scene: Scene, *, calls: int = 60, minutes: float = 90) -> Episode:
    """The key of a system is used from an address that is not one of its servers."""
    address = f"10.33.{rng.randrange(104)}.{rng.randrange(100, 250)}"
    entries = [
        lgsp.call(when, rng, rng.choice(_LOOKUPS), "CU-DVC", client_ip=address, subject=identity(rng))
        for when in times(at, rng, calls, minutes * MINUTE_MS / calls)
    ]
    return episode(
        "key_elsewhere", entries, "consumer.new_address", "lgsp", source__ip=address, govsoc__lgsp__consumer="CU-DVC"
    )


BEHAVIOURS: dict[str, Callable[..., Episode]] = {
    make.__name__: make
    for make in (
        officer_reads_many, off_hours_lookups, new_pair, id_walk, file_walk, slow_pumping, credential_stuffing, mass_export,
        key_elsewhere,
    )
}  # fmt: skip
# Local hour at which each is believable: at office hours where it hides in the day's work, else at any time.
USUAL_HOUR: dict[str, int] = {
    "officer_reads_many": 7, "off_hours_lookups": 23, "new_pair": 14, "id_walk": 14, "mass_export": 13,
}  # fmt: skip
