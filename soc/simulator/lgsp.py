"""The local integration platform's gateway, one JSON object a line: systems and officers call the services of others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from random import Random

from soc.simulator.line import ZONE, Line, as_json, iso
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
}


def call(at: int, rng: Random, service: Service, consumer: str, status: int = 200, **more: object) -> Line:
    org, servers = CONSUMERS.get(consumer, (None, ("",)))
    backend = min(int(service.median_ms * rng.lognormvariate(0, 0.45)), 20_000)
    if status == 504:
        backend = 30_000 + rng.randrange(400)
    fault, reason = _FAULTS.get(status, (None, None))
    fields: dict[str, object] = {
        "time": iso(at), "correlation_id": f"{rng.getrandbits(128):032x}", "api": service.api, "version": "1.0", "method": "POST",
        "path": f"/{service.api}/1.0/{service.code}", "status": status, "fault_code": fault, "fault_string": reason,
        "consumer": consumer, "consumer_org": org, "provider": service.provider, "service_code": service.code,
        "client_ip": servers[at // 1000 % len(servers)], "duration_ms": backend + rng.randrange(3, 25), "backend_ms": backend,
        "request_bytes": rng.randrange(200, 900), "response_bytes": rng.randrange(300, 6_000) if status == 200 else 180,
        "records": 1 if status == 200 and service.about_citizen else None, "token_status": "expired" if status == 401 else "valid",
        "auth": "oauth2", **more,
    }  # fmt: skip
    return Line(at, "lgsp.gateway", as_json(fields))


def _status(rng: Random) -> int:
    luck = rng.random()
    return (
        200
        if luck < 0.975
        else 404
        if luck < 0.993
        else 504
        if luck < 0.996
        else 500
        if luck < 0.998
        else 401
        if luck < 0.999
        else 403
    )


def system_call(at: int, rng: Random) -> list[Line]:
    """A system on its own account: no officer behind it."""
    service = rng.choice(SERVICES)
    consumer = "CU-VANBAN" if service.api == "van-ban" else "CU-DVC"
    subject = identity(rng) if service.about_citizen else None
    return [call(at, rng, service, consumer, _status(rng), subject=subject)]


def desk_work(at: int, rng: Random, officer: Officer) -> list[Line]:
    """An officer handles one citizen's file: a few lookups within some minutes. Desks are closed at night."""
    if not 7 <= datetime.fromtimestamp(at / 1000, ZONE).hour < 18:
        return []
    citizen, lines = identity(rng), []
    for _ in range(rng.randrange(1, 5)):
        service = rng.choice(SERVICES[:5])
        lines.append(call(at, rng, service, "CU-MOTCUA", _status(rng), subject=citizen, user=officer.name))
        at += rng.randrange(5_000, 90_000)
    return lines
