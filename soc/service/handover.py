"""Findings of a rerun, handed to the detector through a folder: it alone writes findings, and where it stands is not touched.

    data/reruns/handed/<id>.json    what is to be added     written by the rerun, whole or not at all
    data/reruns/taken/<id>.json     what came of it         written by the detector, once it is committed

A finding's id is a function of its alert and event, so what is taken twice, because somebody died in between, is there once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
import structlog

from soc.complaint import Complaint
from soc.model.finding import Finding
from soc.model.rerun import Missed
from soc.model.rule import RuleDoc, Stage
from soc.store.detections import rule_doc
from soc.whole import write_whole

log = structlog.get_logger("detector")

_LOOK_S = 2.0
_PART = 2000  # findings committed at once
# Findings and the rules they are of, to the ids of the alerts that are new.
Add = Callable[[list[Finding], dict[str, RuleDoc]], list[str]]


@dataclass(frozen=True, slots=True)
class Taken:
    findings: int
    alerts: int


def hand_over(data_dir: Path, id_: str, missed: Missed) -> None:
    findings = [asdict(finding) | {"event": None} for finding in missed.findings]
    body = orjson.dumps({"findings": findings, "rules": [orjson.dumps(rule).decode() for rule in missed.rules]})
    place = _folder(data_dir) / "handed"
    place.mkdir(parents=True, exist_ok=True)
    _taken(data_dir, id_).unlink(missing_ok=True)
    write_whole(place / f"{id_}.json", body)


def taken(data_dir: Path, id_: str) -> Taken | None:
    """None while the detector has not taken it."""
    try:
        return Taken(**orjson.loads(_taken(data_dir, id_).read_bytes()))
    except FileNotFoundError:
        return None


def take(data_dir: Path, add: Add) -> None:
    """All that is handed over. Raises what `add` raises; then what is left is there for another time."""
    for file in sorted((_folder(data_dir) / "handed").glob("*.json")):
        body = orjson.loads(file.read_bytes())
        rules = {rule.hash: rule for rule in map(rule_doc, body["rules"])}
        findings = [Finding(**one | {"stage": Stage(one["stage"])}) for one in body["findings"]]
        alerts = 0
        for at in range(0, len(findings), _PART):
            part = findings[at : at + _PART]
            alerts += len(add(part, {finding.rule_hash: rules[finding.rule_hash] for finding in part}))
        _taken(data_dir, file.stem).parent.mkdir(exist_ok=True)
        write_whole(_taken(data_dir, file.stem), orjson.dumps(asdict(Taken(len(findings), alerts))))
        file.unlink()
        log.info("took up what a rerun has found", rerun=file.stem, findings=len(findings), alerts=alerts)


class Uptake:
    """Looks every few seconds, between two batches. A file that cannot be read is told, and stops nothing."""

    def __init__(self, data_dir: Path, add: Add) -> None:
        self._data_dir, self._add = data_dir, add
        self._due_at = 0.0
        self._complaint = Complaint(log, "what a rerun has found cannot be taken up", "it is taken up")

    def look(self) -> None:
        if time.monotonic() < self._due_at:
            return
        self._due_at = time.monotonic() + _LOOK_S
        try:
            take(self._data_dir, self._add)
        except Exception as error:  # noqa: BLE001 - counted and said; detection goes on without it
            self._complaint.failed(error)
        else:
            self._complaint.over()


def _folder(data_dir: Path) -> Path:
    return data_dir / "reruns"


def _taken(data_dir: Path, id_: str) -> Path:
    return _folder(data_dir) / "taken" / f"{id_}.json"
