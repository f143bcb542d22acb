"""What a rerun of the rules over stored events has found and nobody had: on its way to the detector, which alone writes findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from soc.model.finding import Finding
from soc.model.rule import RuleDoc

FOUND_LATE = "govsoc.correlation.found_late"  # in what a finding matched: when a rerun found it


@dataclass(frozen=True, slots=True)
class Missed:
    """`rules`: the texts that the findings are of."""

    findings: Sequence[Finding]
    rules: Sequence[RuleDoc]
