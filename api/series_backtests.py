"""Trying definitions of series on the past: what is wrong with a text, what may be asked, and what came of it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from api.backtests import LONGEST_RULE
from api.errors import Refused
from detector.series.definition import Definition, Definitions, loads
from soc.backtest.jobs import Job, Kind, Report
from soc.errors import RuleError
from soc.model.account import Account
from soc.model.anomaly import Reading
from soc.store.base import AuditEntry

if TYPE_CHECKING:
    from api.state import State

LONGEST = LONGEST_RULE  # characters of a text
MOST_DEFINITIONS = 20
_FILE = "series.yml"
_FIELD = re.compile(r"[a-z_]+(\.[a-z0-9_]+)*")  # what a fault names first; our own text, a line at most


@dataclass(frozen=True, slots=True)
class Fault:
    """`line`: from 1, None where the text as a whole is meant; `field`: empty where none is."""

    line: int | None
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Called:
    """One alert that it would have raised: since when and until when (ms), of how many series, and the anomaly that was farthest off."""

    alert: str
    since: int
    until: int
    series: int
    farthest: Mapping[str, Any]


def read(text: str) -> Definitions:
    """Raises `Refused` for more than can be tried at once."""
    found = loads(text, _FILE)
    if len(found.by_name) > MOST_DEFINITIONS:
        raise Refused(f"{len(found.by_name)} definitions: at most {MOST_DEFINITIONS} can be tried at once")
    return found


def faults(found: Definitions) -> list[Fault]:
    """All of them, in the order of the text."""
    return sorted(map(_fault, found.faults), key=lambda one: one.line or 0)


def start(state: State, account: Account, days: int, text: str) -> Job:
    """Over what the account may see. Raises `Refused`, `RuleError` for a text with a fault, and `Busy` while another backtest runs."""
    found = read(text)
    if found.faults:
        raise found.faults[0]
    if not found.by_name:
        raise RuleError("there is no definition in it", _FILE)
    now, about = state.clock(), ", ".join(found.by_name)
    job = state.backtests.start(
        account.scope, by=account.name, at=now, days=days, text=text, kind=Kind.SERIES, about=about
    )
    state.stores.audit.record(AuditEntry(now, account.name, "backtest.start", job.id, f"series {about}"[:2000]))
    return job


def text_of(state: State, name: str) -> str:
    """A definition that runs, as it could be written; empty where there is none."""
    from api.anomalies import definitions

    found = definitions(state).get(name)
    return written(found) if found else ""


class _Readable(yaml.SafeDumper):
    """Several lines as a block, as people write them."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Readable.add_representer(str, _text)


def written(definition: Definition) -> str:
    """Only what is not as it would be anyway."""
    doc = definition.model_dump(mode="json", exclude={"path"}, exclude_defaults=True)
    return yaml.dump(doc, Dumper=_Readable, allow_unicode=True, sort_keys=False, width=120)


def outcome_of(report: Report) -> Mapping[str, Any] | None:
    return report.outcomes[0] if report.outcomes else None


def called(outcome: Mapping[str, Any]) -> list[Called]:
    """The newest first."""
    by_alert: dict[str, list[Mapping[str, Any]]] = {}
    for one in outcome["anomalies"]:
        by_alert.setdefault(one["alert"], []).append(one)
    found = [
        Called(
            alert,
            min(one["since"] for one in some),
            max(one["until"] for one in some),
            len({one["series"] for one in some}),
            max(some, key=lambda one: one["strength"]),
        )
        for alert, some in by_alert.items()
    ]
    return sorted(found, key=lambda one: (-one.since, one.alert))


def readings_of(plot: Mapping[str, Any]) -> list[Reading]:
    return [_reading(row) for row in plot["readings"]]


def _reading(row: Sequence[Any]) -> Reading:
    """JSON knows no NaN: of a bucket that was not judged the band is not known."""
    ts, value, weight, *band = row[:6]
    expected, lower, upper = (math.nan if one is None else one for one in band)
    return Reading(ts, value, weight, expected, lower, upper, *row[6:])


def _fault(error: RuleError) -> Fault:
    field, colon, reason = error.reason.partition(": ")
    if colon and _FIELD.fullmatch(field):
        return Fault(error.line, field, reason)
    return Fault(error.line, "", error.reason)
