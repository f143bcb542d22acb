"""Service levels as the observer would have written them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from soc.buffer.database import Database
from soc.model.service_level import Blame, Burning, Part, Place, ServiceLevel
from soc.store.anomalies import SCHEMA
from soc.store.levels import write

AT = 1_772_452_800_000


def level(
    org: str, *, name: str = "otp-delivered", bad: int = 80, burning: bool = True, ever_good: bool = True
) -> ServiceLevel:
    """97 of 100 should arrive; of 1,000 did not `bad`, most of them at one carrier."""
    place = Place(Blame.UPSTREAM, upstream=("mobifone",))
    why = {"vi": f"Nhà mạng mobifone lỗi ({org})", "en": f"The carrier mobifone fails ({org})"}
    return ServiceLevel(
        org=org,
        system="otp",
        name=name,
        titles={"vi": f"Tin nhắn OTP tới ({org})", "en": f"OTP delivered ({org})"},
        measure="success",
        objective=0.97,
        days=28,
        at=AT,
        since=AT - 86_400_000,
        total=1000,
        bad=bad,
        burn=bad / 30,
        uncounted=3,
        parts=(Part(Blame.UPSTREAM, "mobifone", 300, bad, 8.9),),
        burning=Burning("e" * 24, "page", AT - 600_000, place, why) if burning else None,
        ever_good=ever_good,
    )


def observed(file: Path, levels: Sequence[ServiceLevel]) -> None:
    """In place of the observer."""
    db = Database(file, SCHEMA)
    with db.write() as connection:
        write(connection, levels, {})
    db.close()
