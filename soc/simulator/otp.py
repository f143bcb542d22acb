"""The OTP gateway, one JSON object a line: request, hand-over to the carrier, delivery receipt, verification."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from soc.simulator.line import Line, as_json, iso
from soc.simulator.people import Citizen, citizen, desk_address

# A time in which one carrier delivers nothing: carrier, start ms, end ms.
Outage = tuple[str, int, int]
TEMPLATE = "DVC_OTP_01"
# Carrier -> median ms from hand-over to delivery.
_DELIVERY_MS = {"viettel": 3_200, "vinaphone": 4_100, "mobifone": 4_800, "vietnamobile": 7_500, "gmobile": 9_000}


def entry(at: int, event: str, who: Citizen, request_id: str, status: str, **more: object) -> Line:
    fields: dict[str, object] = {
        "time": iso(at), "event": event, "request_id": request_id, "phone": who.phone, "carrier": who.carrier, "channel": "sms",
        "client_ip": who.address, "account": who.identity, "status": status, **more,
    }  # fmt: skip
    return Line(at, "otp.gateway", as_json(fields))


def sign_in(at: int, rng: Random, outages: Sequence[Outage] = ()) -> list[Line]:
    """A citizen asks for a code, waits for it and enters it; some mistype, some give up."""
    who = citizen(rng)
    if rng.random() < 0.05:
        who = Citizen(who.phone, who.carrier, who.identity, desk_address(rng), who.agent)
    return attempt(at, rng, who, outages)


def attempt(at: int, rng: Random, who: Citizen, outages: Sequence[Outage] = (), number: int = 1) -> list[Line]:
    request_id, message_id = f"{rng.getrandbits(64):016x}", f"{rng.getrandbits(40):010x}"
    status = "accepted" if rng.random() < 0.985 else rng.choice(("rate_limited", "blocked"))
    lines = [entry(at, "request", who, request_id, status, attempt=number, user_agent=who.agent, template=TEMPLATE)]
    if status != "accepted":
        return lines
    at += rng.randrange(40, 400)
    submitted = "accepted" if rng.random() < 0.997 else "error"
    sent = {"message_id": message_id, "brandname": "UBND-HY", "template": TEMPLATE}
    lines.append(
        entry(
            at,
            "submit",
            who,
            request_id,
            submitted,
            latency_ms=rng.randrange(30, 350),
            error_code=None if submitted == "accepted" else "8",
            **sent,
        )
    )
    if submitted != "accepted":
        return lines
    if any(carrier == who.carrier and start <= at < end for carrier, start, end in outages):
        wait, receipt = rng.randrange(20_000, 60_000), rng.choice(("EXPIRED", "EXPIRED", "UNDELIV"))
    else:
        wait = int(_DELIVERY_MS[who.carrier] * rng.lognormvariate(0, 0.5))
        receipt = "DELIVRD" if rng.random() < 0.978 else rng.choice(("UNDELIV", "EXPIRED", "REJECTD"))
    failed = None if receipt == "DELIVRD" else f"{rng.choice((1, 27, 34)):03d}"
    lines.append(
        entry(at + wait, "dlr", who, request_id, receipt, message_id=message_id, latency_ms=wait, error_code=failed)
    )
    if receipt == "DELIVRD" and rng.random() < 0.95:
        lines += _verify(at + wait, rng, who, request_id)
    return lines


def _verify(at: int, rng: Random, who: Citizen, request_id: str) -> list[Line]:
    """The code is read and typed: right at once, right after a mistake, or too late."""
    luck, lines = rng.random(), []
    at += rng.randrange(6_000, 35_000)
    if luck < 0.05:
        lines.append(entry(at, "verify", who, request_id, "wrong", attempt=1))
        at += rng.randrange(4_000, 15_000)
    status = "expired" if luck > 0.985 else "ok"
    return [*lines, entry(at, "verify", who, request_id, status, attempt=len(lines) + 1)]
