"""Correlations as people have bounded them: another threshold, another window, for one organisation or for all.

The rest of a rule is its text. What is laid down for a text that does not take it (any more) counts for nothing, and is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from rules.rule import Correlation
from soc.errors import ConfigError
from soc.model.asked import Asked, Bounds
from soc.model.canary import is_canary

NOTHING: Mapping[str, Bounds] = {}


def asked_of(correlation: Correlation) -> Asked:
    op, number = correlation.asks[0] if len(correlation.asks) == 1 else ("", 0)
    return Asked(correlation.type, op, number, correlation.timespan_ms // 1000, len(correlation.rules))


def bounded(correlation: Correlation, bounds: Bounds) -> Correlation:
    """Raises `ConfigError` with the reason where the rule does not take them."""
    asked_of(correlation).check(bounds)
    asks, timespan_ms = correlation.asks, correlation.timespan_ms
    if bounds.threshold is not None:
        whole = int(bounds.threshold)  # counts are whole numbers, and shown as such
        asks = ((asks[0][0], whole if whole == bounds.threshold else bounds.threshold),)
    if bounds.timespan_s is not None:
        timespan_ms = bounds.timespan_s * 1000
    return replace(correlation, asks=asks, timespan_ms=timespan_ms)


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for a group: `own` where it is not what the text says."""

    correlation: Correlation
    span: int  # ms
    need: int
    own: bool = False


class TermsOf:
    """By organisation. `unfit`: what was laid down and cannot hold, each with the reason."""

    def __init__(self, correlation: Correlation, bounds: Mapping[str, Bounds] = NOTHING) -> None:
        self._text = self._everybodys = _terms(correlation)
        self._by_org: dict[str, Terms] = {}
        self.unfit: list[str] = []
        for org, one in bounds.items():
            try:
                self._by_org[org] = _terms(bounded(correlation, one), own=one.set)
            except ConfigError as error:
                self.unfit.append(f"what is laid down for {org or 'all organisations'} does not fit it: {error}")
        self._everybodys = self._by_org.pop("", self._text)
        everyone = (self._text, self._everybodys, *self._by_org.values())
        self.longest = max(terms.span for terms in everyone)
        self.alike = not self._by_org and self._everybodys is self._text

    def of(self, org: str) -> Terms:
        if is_canary(org):
            return self._text  # it is made of what the text asks for
        return self._by_org.get(org, self._everybodys)

    @property
    def everybodys(self) -> Terms:
        """Of organisations that have none of their own."""
        return self._everybodys


def _terms(correlation: Correlation, *, own: bool = False) -> Terms:
    return Terms(correlation, correlation.timespan_ms, correlation.at_least, own)
