"""What is said with an anomaly: the rule that stands for its definition, and a finding for each bucket of an episode."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import yaml

from detector.episode import Call
from detector.score import Point
from detector.series.definition import Definition, Measure
from detector.series.key import CLASS, condition
from detector.series.key import quoted as quoted  # others say it, too
from soc.model.anomaly import FIELD, SYSTEM_PREFIX, Series
from soc.model.event import Fields, Value, iso
from soc.model.finding import Finding, alert_id, finding_id
from soc.model.rule import RuleDoc

OTHER = "(other)"  # all keys that had no room, together
NONE = "(none)"


def entity_of(definition: Definition, series: Series) -> tuple[str, str]:
    """Field and value, as an alert names them."""
    if not definition.group_by:
        return "organization.id", series.board.org
    if not series.key:
        return definition.group_by[0], OTHER
    return " + ".join(definition.group_by), " + ".join(value or NONE for value in series.key)


def query_of(definition: Definition, series: Series, since: int, until: int) -> str:
    """A search for the events behind a time of a series; of one that is joined with all answers that may have come."""
    group = [condition(name, value) for name, value in zip(definition.group_by, series.key, strict=False)]
    where, hit = definition.where.strip(), (definition.hit or "").strip()
    parts = [f'event.dataset:"{definition.dataset}"', f'organization.id:"{quoted(series.board.org)}"']
    if definition.measure is not Measure.CONVERSION:
        parts += [f"({where})"] if where else []
        parts += group
    elif definition.join is None:
        parts += [f"(({where}) OR ({hit}))", *group]
    else:  # an answer has none of the fields of the group, and comes when it comes
        parts.append(f"(({' AND '.join([f'({where})', *group])}) OR ({hit}))")
    until += definition.within_ms
    parts.append(f'@timestamp:["{iso(since)}" TO "{iso(until)}"}}')
    return " AND ".join(parts)


def finding_of(definition: Definition, series: Series, call: Call, point: Point, system_since: int | None) -> Finding:
    """Of one bucket. `system_since`: many series of the system left together at this time (ms), and are one alert."""
    doc = rule_of(definition) if system_since is None else rule_of_system(definition.system)
    field, entity = entity_of(definition, series) if system_since is None else ("organization.id", series.board.org)
    since = call.since if system_since is None else system_since
    alert = alert_id(doc.id, series.board.org, entity, f"episode {since}")
    event = f"{call.ts:012x}{hashlib.blake2b(series.id.encode(), digest_size=10).hexdigest()}"
    group = zip(definition.group_by, series.key, strict=False)
    matched: Fields = {
        name: value for name, value in group if value and not name.endswith(CLASS)
    }  # exceptions ask them
    matched |= {FIELD + name: value for name, value in _said(definition, series, call, point).items()}
    return Finding(
        finding_id(alert, event), alert, doc.id, doc.hash, series.board.org, field, entity, call.ts, event, matched
    )


def _said(definition: Definition, series: Series, call: Call, point: Point) -> dict[str, Value]:
    return {
        "series": series.id,
        "what": f"{definition.name} {entity_of(definition, series)[1]}",
        "actual": _round(call.actual),
        "expected": _round(call.expected),
        "lower": _round(call.lower),
        "upper": _round(call.upper),
        "unit": definition.unit,
        "since": iso(call.since),
        "score": _round(point.score),
        "parts": [f"{name} {surprise:.1f}" for name, surprise in point.parts.items() if surprise > 0],
        "query": query_of(definition, series, call.since, call.ts + definition.bucket_ms),
    }


def _round(value: float) -> float:
    return float(f"{value:.4g}")


def rule_of(definition: Definition) -> RuleDoc:
    """The definition as alerts and pages know rules."""
    text = yaml.safe_dump(
        definition.model_dump(mode="json", exclude={"path"}, exclude_defaults=True), allow_unicode=True, sort_keys=False
    )
    titles = definition.titles.model_dump()
    return RuleDoc(
        id=definition.rule_id, hash=_hash(text), title=titles["en"], level=definition.severity, text=text, path=definition.path,
        titles=titles, runbook=definition.runbook.model_dump() if definition.runbook else {}, group_by=definition.group_by,
    )  # fmt: skip


def rule_of_system(system: str) -> RuleDoc:
    """Stands for many series of a system that leave what is expected together."""
    titles = {
        "vi": f"Nhiều chỉ số của hệ thống {system} cùng bất thường",
        "en": f"Many series of the system {system} are unusual together",
    }
    return RuleDoc(
        id=f"{SYSTEM_PREFIX}{system}",
        hash=_hash(f"system {system}"),
        title=titles["en"],
        level="high",
        text="",
        titles=titles,
    )


def rules_of(findings: Sequence[Finding], definitions: Sequence[Definition]) -> list[RuleDoc]:
    """Those that these findings are of."""
    wanted = {finding.rule_id for finding in findings}
    docs = [rule_of(one) for one in definitions if one.rule_id in wanted]
    systems = {one.system for one in definitions}
    return docs + [rule_of_system(one) for one in sorted(systems) if f"{SYSTEM_PREFIX}{one}" in wanted]


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
