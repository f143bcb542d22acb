"""The OTP gateway, one JSON object a line: request, hand-over to the carrier, delivery receipt, verification."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from soc.simulator.calendar import strain
from soc.simulator.line import Entry
from soc.simulator.people import Citizen, citizen, desk_address

TEMPLATE = "DVC_OTP_01"
# Carrier -> median ms from hand-over to delivery.
_DELIVERY_MS = {"viettel": 3_200, "vinaphone": 4_100, "mobifone": 4_800, "vietnamobile": 7_500, "gmobile": 9_000}


def entry(at: int, event: str, who: Citizen, request_id: str, status: str, **more: object) -> Entry:
    return Entry(
        at,
        "otp.gateway",
        {
            "event": event, "request_id": request_id, "phone": who.phone, "carrier": who.carrier, "channel": "sms",
            "client_ip": who.address, "account": who.identity, "status": status, **more,
        },
    )  # fmt: skip


def sign_in(at: int, rng: Random) -> list[Entry]:
    """A citizen asks for a code, waits for it and enters it; some mistype, some give up."""
    who = citizen(rng)
    if rng.random() < 0.05:
        who = Citizen(who.phone, who.carrier, who.identity, desk_address(rng), who.agent)
    return attempt(at, rng, who)


def attempt(at: int, rng: Random, who: Citizen, number: int = 1) -> list[Entry]:
    """Of one code: request, hand-over, receipt and verification, as far as it comes."""
    request_id, message_id = f"{rng.getrandbits(64):016x}", f"{rng.getrandbits(40):010x}"
    status = "accepted" if rng.random() < 0.985 else rng.choice(("rate_limited", "blocked"))
    entries = [entry(at, "request", who, request_id, status, attempt=number, user_agent=who.agent, template=TEMPLATE)]
    if status != "accepted":
        return entries
    at += 40 + int(rng.random() * 360)
    submitted = "accepted" if rng.random() < 0.997 else "error"
    sent: dict[str, object] = {"message_id": message_id, "brandname": "UBND-HY", "template": TEMPLATE}
    if submitted != "accepted":
        sent["error_code"] = "8"
    entries.append(entry(at, "submit", who, request_id, submitted, latency_ms=30 + int(rng.random() * 320), **sent))
    if submitted != "accepted":
        return entries
    wait = int(_DELIVERY_MS[who.carrier] * strain(at) * rng.lognormvariate(0, 0.5))
    if rng.random() < 0.978:
        entries.append(_receipt(at, wait, who, request_id, message_id))
        if rng.random() < 0.95:
            entries += _verify(at + wait, rng, who, request_id)
    else:
        entries.append(
            undelivered(_receipt(at, wait, who, request_id, message_id), rng, ("UNDELIV", "EXPIRED", "REJECTD"))
        )
    return entries


def _receipt(at: int, wait: int, who: Citizen, request_id: str, message_id: str) -> Entry:
    return entry(at + wait, "dlr", who, request_id, "DELIVRD", message_id=message_id, latency_ms=wait)


def undelivered(receipt: Entry, rng: Random, words: Sequence[str]) -> Entry:
    """The same receipt, of a message that was not delivered."""
    failed = {"status": rng.choice(words), "error_code": f"{rng.choice((1, 27, 34)):03d}"}
    return receipt._replace(fields=receipt.fields | failed)


def _verify(at: int, rng: Random, who: Citizen, request_id: str) -> list[Entry]:
    """The code is read and typed: right at once, right after a mistake, or too late."""
    luck, entries = rng.random(), []
    at += 6_000 + int(rng.random() * 29_000)
    if luck < 0.05:
        entries.append(entry(at, "verify", who, request_id, "wrong", attempt=1))
        at += rng.randrange(4_000, 15_000)
    status = "expired" if luck > 0.985 else "ok"
    return [*entries, entry(at, "verify", who, request_id, status, attempt=len(entries) + 1)]
