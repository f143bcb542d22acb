"""Unusual entities as the observer would have written them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from soc.buffer.database import Database
from soc.model.event import iso
from soc.model.finding import Finding, alert_id, finding_id
from soc.model.rule import RuleDoc
from soc.model.unusual import FIELD, Crowd, Reason, Unusual, entity_id
from soc.store.anomalies import SCHEMA
from soc.store.base import Detections
from soc.store.unusual import write

AT = 1_772_452_800_000  # 2026-03-02T12:00:00Z
RULE = RuleDoc("people-officers", "hash-officers", "An officer looks up unlike before", "high", "name: officers")
HOSTILE = "<script>alert('xss')</script>"


def unusual(org: str, *, entity: str = "", at: int = AT, score: float = 0.8, surprise: float = 9.3) -> Unusual:
    """`surprise`: by its citizens, which are the more the more it is."""
    many = round(71 * (surprise / 9.3) ** 2)
    entity = entity or f"canbo.{org}"
    text = {"vi": f"71 công dân khác nhau trong 15 phút ({org})", "en": f"71 different citizens in 15 minutes ({org})"}
    rare = {"vi": f"source.ip = {HOSTILE}: chưa từng có", "en": f"source.ip = {HOSTILE}: never before"}
    since = at - 1_200_000
    return Unusual(
        id=f"{at:012x}{entity_id('officers', org, entity)}",
        people="officers",
        org=org,
        field="user.id",
        entity=entity,
        at=at,
        since=since,
        score=score,
        events=84,
        alert=alert_id("people-officers", org, entity, f"episode {since}"),
        rule_hash="hash-officers",
        query=f'event.dataset:"lgsp.gateway" AND user.id:"{entity}" AND @timestamp:["{iso(since)}" TO "{iso(at + 1)}"}}',
        reasons=(
            Reason(
                "distinct govsoc.lgsp.subject",
                "distinct",
                "govsoc.lgsp.subject",
                "",
                12.0,
                float(many),
                9.1,
                surprise,
                text,
            ),
            Reason("rare source.ip", "rare", "source.ip", HOSTILE, 0.0, 1.0, 0.02, 7.1, rare),
        ),
        week=(0,) * 150 + (20,) * 17 + (84,),
    )


def crowd(org: str, *, other: int = 0) -> Crowd:
    return Crowd("officers", org, {"vi": f"Cán bộ ({org})", "en": f"Officers ({org})"}, 12, False, other, 3)


def raised(detections: Detections, items: Sequence[Unusual]) -> None:
    """Each is a finding of its alert."""
    findings = [
        Finding(
            finding_id(one.alert, one.id), one.alert, RULE.id, RULE.hash, one.org, one.field, one.entity, one.at, one.id,
            {f"{FIELD}what": f"officers {one.entity}"},
        )
        for one in items
    ]  # fmt: skip
    detections.commit(findings, {RULE.hash: RULE}, {}, {}, None, AT)


def noticed(file: Path, items: Sequence[Unusual], beyond: int = 0) -> None:
    """In place of the observer. `beyond`: events of organisations that had no room."""
    db = Database(file, SCHEMA)
    crowds = [crowd(org) for org in sorted({one.org for one in items})]
    with db.write() as connection:
        write(connection, items=items, crowds=[*crowds, *([crowd("", other=beyond)] if beyond else [])])
    db.close()
