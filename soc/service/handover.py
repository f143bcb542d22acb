"""Findings of others, handed to the detector through a folder: it alone writes findings, and where it stands is not touched.

    data/<giver>/handed/<id>.json    what is to be added     written by the giver, whole or not at all
    data/<giver>/taken/<id>.json     what came of it         written by the detector, once it is committed, for a giver who waits
    data/<giver>/handed/<id>.bad     cannot be read          put aside by the detector, so that nothing else waits for it

Givers are `reruns` and `anomalies`. A finding's id is a function of its alert and event, so what is taken twice, because somebody died
in between, is there once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
import structlog

from soc import telemetry
from soc.complaint import Complaint
from soc.model.finding import Finding
from soc.model.rule import RuleDoc, Stage
from soc.store.detections import rule_doc
from soc.whole import write_whole

log = structlog.get_logger("detector")

RERUNS, ANOMALIES = "reruns", "anomalies"
_GIVERS = (RERUNS, ANOMALIES)
_WAIT = (RERUNS,)  # for what came of it
_LOOK_S = 0.5
_PART = 2000  # findings committed at once
_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError)  # damaged, or of another version
# Findings and the rules they are of, to the ids of the alerts that are new.
Add = Callable[[list[Finding], dict[str, RuleDoc]], list[str]]


@dataclass(frozen=True, slots=True)
class Taken:
    findings: int
    alerts: int


def hand_over(data_dir: Path, giver: str, id_: str, found: Sequence[Finding], rules: Sequence[RuleDoc]) -> None:
    """`id_`: names what is handed over, a file name of letters, digits and `-`."""
    findings = [asdict(finding) | {"event": None} for finding in found]
    body = orjson.dumps({"findings": findings, "rules": [orjson.dumps(rule).decode() for rule in rules]})
    place = data_dir / giver / "handed"
    place.mkdir(parents=True, exist_ok=True)
    _taken(data_dir, giver, id_).unlink(missing_ok=True)
    _aside(place / f"{id_}.json").unlink(missing_ok=True)
    write_whole(place / f"{id_}.json", body)


def taken(data_dir: Path, giver: str, id_: str) -> Taken | None:
    """None while the detector has not taken it."""
    try:
        return Taken(**orjson.loads(_taken(data_dir, giver, id_).read_bytes()))
    except FileNotFoundError:
        return None


def unread(data_dir: Path, giver: str, id_: str) -> Path | None:
    """The file where it has been put aside; None while it has not."""
    aside = _aside(data_dir / giver / "handed" / f"{id_}.json")
    return aside if aside.exists() else None


def waiting(data_dir: Path, giver: str) -> int:
    """How much the detector has not taken yet."""
    return sum(1 for _ in (data_dir / giver / "handed").glob("*.json"))


def take(data_dir: Path, add: Add, add_observed: Add | None = None) -> None:
    """All that is handed over; what the observer found by `add_observed`. What makes no sense is told and put aside, what cannot be opened
    stays; neither stops what is behind it. Raises what these raise, and at the end why a file could not be opened; then what is left is
    there for another time."""
    closed: OSError | None = None
    for giver in _GIVERS:
        for file in sorted((data_dir / giver / "handed").glob("*.json")):
            try:
                findings, rules = _read(file)
            except _UNREADABLE as error:
                _put_aside(file, error)
                continue
            except OSError as error:
                closed = closed or error
                continue
            done = _add(findings, rules, add_observed if add_observed and giver == ANOMALIES else add)
            if giver in _WAIT:
                answer = _taken(data_dir, giver, file.stem)
                answer.parent.mkdir(exist_ok=True)
                write_whole(answer, orjson.dumps(asdict(done)))
            file.unlink()
            if done.alerts or giver in _WAIT:
                log.info("took up findings", giver=giver, id=file.stem, findings=done.findings, alerts=done.alerts)
    if closed is not None:
        raise closed


def _read(file: Path) -> tuple[list[Finding], dict[str, RuleDoc]]:
    """What is in it, and the rules by their hash."""
    body = orjson.loads(file.read_bytes())
    rules = {rule.hash: rule for rule in map(rule_doc, body["rules"])}
    findings = [Finding(**one | {"stage": Stage(one["stage"])}) for one in body["findings"]]
    if missing := {finding.rule_hash for finding in findings} - rules.keys():
        raise LookupError(f"no rule for {sorted(missing)[0]}")
    return findings, rules


def _put_aside(file: Path, error: Exception) -> None:
    aside = _aside(file)
    file.rename(aside)
    telemetry.UNREAD_FINDINGS.inc()
    log.error("findings cannot be read, they are put aside", file=str(aside), reason=f"{type(error).__name__}: {error}")


def _aside(file: Path) -> Path:
    return file.with_suffix(".bad")


def _add(findings: list[Finding], rules: Mapping[str, RuleDoc], add: Add) -> Taken:
    alerts = 0
    for at in range(0, len(findings), _PART):
        part = findings[at : at + _PART]
        alerts += len(add(part, {finding.rule_hash: rules[finding.rule_hash] for finding in part}))
    return Taken(len(findings), alerts)


class Uptake:
    """Looks now and then, between two batches. What the store cannot take now is told, and stops no detection."""

    def __init__(self, data_dir: Path, add: Add, add_observed: Add | None = None) -> None:
        self._data_dir, self._add, self._add_observed = data_dir, add, add_observed
        self._due_at = 0.0
        self._complaint = Complaint(log, "what others have found cannot be taken up", "it is taken up")

    def look(self) -> None:
        if time.monotonic() < self._due_at:
            return
        self._due_at = time.monotonic() + _LOOK_S
        try:
            take(self._data_dir, self._add, self._add_observed)
        except Exception as error:  # noqa: BLE001 - it is said; detection goes on without it
            self._complaint.failed(error)
        else:
            self._complaint.over()


def _taken(data_dir: Path, giver: str, id_: str) -> Path:
    return data_dir / giver / "taken" / f"{id_}.json"
