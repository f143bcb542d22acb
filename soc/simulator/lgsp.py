"""The local integration platform's gateway, one JSON object a line: systems and officers call the services of others."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from soc.simulator.calendar import strain
from soc.simulator.line import Entry
from soc.simulator.people import Officer, identity


@dataclass(frozen=True, slots=True)
class Service:
    provider: str
    api: str
    code: str
    median_ms: int
    about_citizen: bool


SERVICES = (
    Service("CSDLQG-DANCU", "dan-cu", "tra-cuu-cong-dan", 420, about_citizen=True),
    Service("CSDLQG-DANCU", "dan-cu", "xac-thuc-thong-tin", 380, about_citizen=True),
    Service("HOTICH-BTP", "ho-tich", "dang-ky-khai-sinh", 900, about_citizen=True),
    Service("DATDAI-HY", "dat-dai", "tra-cuu-thua-dat", 650, about_citizen=True),
    Service("BHXH-VN", "bao-hiem", "tra-cuu-the-bhyt", 520, about_citizen=True),
    Service("DVCQG", "dong-bo", "dong-bo-ho-so", 300, about_citizen=False),
    Service("TRUCVB", "van-ban", "gui-van-ban", 240, about_citizen=False),
)
# Consumer -> its agency and the servers that it calls from.
CONSUMERS = {
    "CU-MOTCUA": ("H27", ("10.33.210.11", "10.33.210.12")),
    "CU-DVC": ("H27", ("10.33.211.11",)),
    "CU-VANBAN": ("H27.01", ("10.33.212.11",)),
}
_FAULTS = {
    500: ("101500", "Internal error of the provider"),
    504: ("101504", "Connection timed out"),
    401: ("900903", "Access token expired"),
    403: ("900908", "Resource forbidden"),
    429: ("900800", "Message throttled out"),
    502: ("101503", "Connection refused by the provider"),
}
# The share of calls up to which each status is given.
_LUCK = ((0.975, 200), (0.993, 404), (0.996, 504), (0.998, 500), (0.999, 401), (1.0, 403))


def call(at: int, rng: Random, service: Service, consumer: str, status: int = 200, **more: object) -> Entry:
    """`more`: fields by their names in the log, beside or instead of the usual ones; None leaves one out."""
    org, servers = CONSUMERS.get(consumer, (None, ("",)))
    backend = min(int(service.median_ms * strain(at) * rng.lognormvariate(0, 0.45)), 20_000)
    random = rng.random
    fields: dict[str, object] = {
        "correlation_id": f"{rng.getrandbits(128):032x}", "api": service.api, "version": "1.0", "method": "POST",
        "path": f"/{service.api}/1.0/{service.code}", "status": status, "consumer": consumer, "consumer_org": org,
        "provider": service.provider, "service_code": service.code, "client_ip": servers[at // 1000 % len(servers)],
        "duration_ms": backend + 3 + int(random() * 22), "backend_ms": backend, "request_bytes": 200 + int(random() * 700),
        "response_bytes": 300 + int(random() * 5_700), "records": 1 if service.about_citizen else None,
        "token_status": "valid", "auth": "oauth2",
    }  # fmt: skip
    if status != 200:
        refuse(fields, rng, status)
    fields.update(more)
    return Entry(at, "lgsp.gateway", fields)


def refuse(fields: dict[str, object], rng: Random, status: int, reason: tuple[str, str] | None = None) -> None:
    """Make it a call that failed. `reason`: fault code and text, where they are not those that go with the status."""
    code, text = reason or _FAULTS.get(status) or (None, None)
    fields |= {"status": status, "fault_code": code, "fault_string": text, "response_bytes": 180, "records": None}
    if status == 401:
        fields |= {"token_status": "expired"}
    if status == 504:
        fields["backend_ms"] = backend = 30_000 + rng.randrange(400)
        fields["duration_ms"] = backend + rng.randrange(3, 25)


def _status(rng: Random) -> int:
    luck = rng.random()
    return next((status for below, status in _LUCK if luck < below))


def system_call(at: int, rng: Random) -> list[Entry]:
    """A system on its own account: no officer behind it."""
    service = rng.choice(SERVICES)
    consumer = "CU-VANBAN" if service.api == "van-ban" else "CU-DVC"
    subject = identity(rng) if service.about_citizen else None
    return [call(at, rng, service, consumer, _status(rng), subject=subject)]


def desk_work(at: int, rng: Random, officer: Officer) -> list[Entry]:
    """An officer handles one citizen's file: a few lookups within some minutes."""
    citizen, lines = identity(rng), []
    for _ in range(rng.randrange(1, 5)):
        service = rng.choice(SERVICES[:5])
        lines.append(
            call(
                at, rng, service, "CU-MOTCUA", _status(rng),
                consumer_org=officer.commune, subject=citizen, user=officer.name,
            )
        )  # fmt: skip
        at += 5_000 + int(rng.random() * 85_000)
    return lines
