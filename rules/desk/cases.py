"""Cases: examples that stand beside a rule file and say what its rules must and must not find."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

from rules.correlate.entries import END_OF_TIME
from rules.engine import Engine
from rules.lists.index import Index
from rules.lists.known import Lists
from rules.lists.pack import Entry
from rules.lists.spelling import spelt
from rules.load.folders import loads
from rules.match.database import Blobs, InMemory
from rules.read.document import read_list
from rules.rule import Rule, RuleSet
from soc.errors import RuleError
from soc.model.event import Event, Fields, Stored, event_id, iso
from soc.model.indicator import ListType

# (source type, line) -> fields with `@timestamp`; the caller passes the collector's parser, which rules must not import.
Parse = Callable[[str, str], Fields]

START_MS = 1_772_416_800_000  # 2026-03-02T09:00:00+07:00, a Monday in office hours
MAX_REPEAT = 100_000
_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


@dataclass(frozen=True, slots=True)
class Case:
    """One example. `events` or `lines` of `source_type`; `rule` is an id or a name where the file has several alerting rules. `lists`:
    those that there are, by name."""

    path: str
    line: int
    name: str
    match: bool
    rule: str | None
    source_type: str | None
    lines: tuple[str, ...]
    events: tuple[Fields, ...]
    lists: Mapping[str, Index] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a case. `problem` is None when it passed. `rule_ids`: the rules that it was about."""

    case: Case
    rule_ids: tuple[str, ...]
    problem: str | None


class MemoryState(dict[str, bytes]):
    """Correlation state for one run: nothing survives it."""

    def set(self, key: str, value: bytes, expires: int) -> None:  # noqa: ARG002 - part of the State protocol
        self[key] = value


def cases_file(rule_path: Path) -> Path:
    return rule_path.with_name(rule_path.stem + ".cases.yml")


def run(rule_path: Path, parse: Parse, zone: tzinfo) -> tuple[list[Outcome], list[RuleError]]:
    """Run the cases of one rule file; with the faults of both files, which stop nothing else."""
    ruleset = loads(rule_path.read_text(encoding="utf-8"), str(rule_path))
    errors = list(ruleset.errors)
    found = cases(cases_file(rule_path), errors)
    blobs = InMemory()  # each case has an engine of its own
    return [_run(case, ruleset, parse, zone, blobs) for case in found], errors


def cases(path: Path, errors: list[RuleError]) -> list[Case]:
    """The cases of a file; none when there is no such file."""
    if not path.exists():
        return []
    found = []
    for item, line in read_list(path, errors):
        try:
            found.append(_case(item, str(path), line))
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            errors.append(RuleError(f"not a case: {error}", path, line))
    return found


def _case(item: object, path: str, line: int) -> Case:
    if not isinstance(item, dict):
        raise TypeError("it must be a mapping")
    if not isinstance(item.get("match"), bool):
        raise TypeError("it needs `match: true` or `match: false`")
    if unknown := set(item) - {"name", "match", "rule", "source_type", "lines", "events", "lists"}:
        raise ValueError(f"unknown key {sorted(map(str, unknown))[0]!r}")
    lines, source_type = item.get("lines") or [], item.get("source_type")
    if lines and not source_type:
        raise ValueError("`lines` need a `source_type`")
    events = tuple(_events(item.get("events") or []))
    if not lines and not events:
        raise ValueError("it needs `lines` or `events`")
    rule = item.get("rule")
    return Case(
        path, line, str(item.get("name") or f"line {line}"), item["match"], None if rule is None else str(rule),
        source_type, tuple(map(str, lines)), events, _lists(item.get("lists") or {}),
    )  # fmt: skip


def _lists(given: object) -> dict[str, Index]:
    """`{name: {type: [entry, ...]}}`."""
    if not isinstance(given, dict):
        raise TypeError("`lists` must be a mapping of names")
    found = {}
    for name, typed in given.items():
        if not isinstance(typed, dict) or len(typed) != 1:
            raise TypeError(f"the list {name} must be a mapping of its type to its entries, such as ip: [192.0.2.1]")
        [(type_, entries)] = typed.items()
        kind = ListType(type_)
        found[str(name)] = Index.of(kind, [Entry(spelt(kind, str(entry))) for entry in entries])
    return found


def _events(blocks: list[object]) -> Iterator[Fields]:
    clock = START_MS
    for block in blocks:
        if not isinstance(block, dict):
            raise TypeError("an event must be a mapping")
        template = block.get("event", block)
        repeat, every = int(block.get("repeat", 1)), _span(str(block.get("every", "1s")))
        if not isinstance(template, dict) or not 0 < repeat <= MAX_REPEAT:
            raise ValueError(f"`event` must be a mapping and `repeat` between 1 and {MAX_REPEAT}")
        first = ms_of(template.get("@timestamp"))
        for i in range(repeat):
            at = clock if first is None else first + i * every
            yield {**{str(k): _filled(v, i) for k, v in template.items()}, "@timestamp": iso(at)}
            clock = at + every


def _filled(value: Any, i: int) -> Any:
    if isinstance(value, str):
        return value.replace("{i}", str(i))
    if isinstance(value, list):
        return [_filled(one, i) for one in value]
    return value.isoformat() if isinstance(value, datetime) else value


def _span(text: str) -> int:
    """`5s`, `2m`, `500ms` in ms."""
    for unit, ms in _UNITS.items():
        if (count := text.removesuffix(unit)) != text and count.isdecimal():
            return int(count) * ms
    raise ValueError(f"{text!r} is no span of time such as 5s or 2m")


def ms_of(value: object) -> int | None:
    """An `@timestamp` as ms since 1970: ISO 8601 text (UTC when it names no zone) or a number of ms; None for anything else."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, datetime):
        return int((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp() * 1000)
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e14 else None


def _run(case: Case, ruleset: RuleSet, parse: Parse, zone: tzinfo, blobs: Blobs) -> Outcome:
    about = _about(case, ruleset)
    ids = tuple(rule.id for rule in about)
    if not about:
        return Outcome(
            case, (), f"no rule that works is called {case.rule!r}" if case.rule else "the file has no rule that alerts"
        )
    if case.rule is None and len(about) > 1:
        return Outcome(case, ids, "the file has several rules that alert: name one with `rule:`")
    fields = list(case.events)
    for line in case.lines:
        parsed = parse(str(case.source_type), line)
        if parsed.get("event.kind") == "pipeline_error":
            return Outcome(case, ids, f"the line does not parse: {parsed.get('error.message')}")
        fields.append(parsed)
    lists = Lists((name, "", index) for name, index in case.lists.items())
    engine, state = Engine(ruleset, zone, blobs=blobs, lists=lists), MemoryState()
    try:
        stored = [Stored.of(_event(i, one)) for i, one in enumerate(fields)]
    except TypeError as error:
        return Outcome(case, ids, f"an event holds what JSON cannot: {error}")
    findings = engine.match(engine.sift(stored))  # as in the product
    findings += engine.correlate(findings, state)
    findings += engine.tick(END_OF_TIME, state)
    hits = [finding for finding in findings if finding.rule_id in ids]
    if engine.broken:
        return Outcome(case, ids, f"a rule broke: {engine.broken}")
    if bool(hits) == case.match:
        return Outcome(case, ids, None)
    return Outcome(
        case, ids, "it should match and does not" if case.match else f"it should not match, but does: {hits[0].matched}"
    )


def _about(case: Case, ruleset: RuleSet) -> list[Rule]:
    if case.rule is not None:
        return [rule for rule in ruleset.rules if case.rule in (rule.id, rule.name)]
    return [rule for rule in ruleset.rules if not rule.silent]


def _event(i: int, fields: Mapping[str, object]) -> Event:
    ts = ms_of(fields.get("@timestamp")) or START_MS
    given: Fields = {"organization.id": "case", **fields}  # type: ignore[dict-item]
    return Event(
        event_id(ts, "case", str(i), ""), ts, str(given["organization.id"]), str(given.get("event.dataset", "")), given
    )
