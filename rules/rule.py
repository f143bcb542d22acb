"""Rule: one Sigma document, read and understood. Plain data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from rules.condition import Condition
from soc.errors import RuleError
from soc.model.asked import at_least
from soc.model.rule import FilterDoc, LogSource

Place = tuple[int, int]  # line and column in a file, from 1
CorrelationType = Literal[
    "event_count",
    "value_count",
    "temporal",
    "temporal_ordered",
    "value_sum",
    "value_avg",
    "value_percentile",
    "value_median",
    "absence",
]
Comparison = Literal["gt", "gte", "lt", "lte", "eq", "neq"]
# What temporal types ask with names and `and`, `or`, `not`: one of several; each is (rules that must be there, rules that must not).
Term = tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Correlation:
    """How findings of other rules add up.

    `asks`: all of these comparisons must hold of what the window comes to (a count, a sum, ...); empty where `terms` are asked or, for
    `absence`, nothing but that no event of a later rule follows one of the first.
    """

    type: CorrelationType
    rules: tuple[str, ...]  # ids of the base rules
    group_by: tuple[str, ...]
    timespan_ms: int
    asks: tuple[tuple[Comparison, int | float], ...] = ()
    counted: tuple[str, ...] = ()  # value types: the field or fields whose values are looked at
    aliases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # alias -> base rule id -> field
    percentile: int = 0
    terms: tuple[Term, ...] = ()

    def names_for(self, rule_id: str) -> tuple[str, ...]:
        """The fields to group a finding of this base rule by, in the order of `group_by`."""
        return self.resolved(self.group_by, rule_id)

    def resolved(self, names: Iterable[str], rule_id: str) -> tuple[str, ...]:
        """What these names, aliases among them, are called in the findings of this base rule."""
        return tuple(self.aliases.get(name, {}).get(rule_id, name) for name in names)

    @property
    def at_once(self) -> bool:
        """Whether no further event can undo a hit, so that it may be told before the watermark has passed it."""
        if self.type not in ("event_count", "value_count", "temporal", "temporal_ordered"):
            return False
        return all(op in ("gt", "gte") for op, _ in self.asks) and not any(lacks for _, lacks in self.terms)

    @property
    def asked(self) -> str:
        """In words: `value_sum of bytes gt 1000 within 600 s`."""
        what = " ".join(f"{op} {number}" for op, number in self.asks)
        if self.terms:
            what = " or ".join(
                " and ".join([*needs, *(f"not {name}" for name in lacks)]) for needs, lacks in self.terms
            )
        of = f" of {', '.join(self.counted)}" if self.counted else ""
        return f"{self.type}{of} {what}".rstrip() + f" within {self.timespan_ms // 1000} s"

    @property
    def at_least(self) -> int:
        """The least number of events that a hit can take."""
        if self.terms:
            return max(1, min(len(needs) for needs, _ in self.terms))
        return at_least(self.type, self.asks)


@dataclass(frozen=True, slots=True)
class Rule:
    """One Sigma rule. `hash` is of `text`: the document as written, and the filters that narrow it. `line` counts from 1 in `path`.

    Exactly one of `condition` and `correlation` is there. A `silent` rule only feeds correlations.
    """

    id: str
    hash: str
    text: str
    title: str
    path: str = ""
    line: int = 1
    name: str | None = None
    title_vi: str | None = None
    level: str = "medium"
    status: str | None = None
    tags: tuple[str, ...] = ()
    entity: str | None = None
    runbook_vi: str | None = None
    runbook_en: str | None = None
    description: str | None = None
    author: str | None = None
    license: str | None = None
    references: tuple[str, ...] = ()
    falsepositives: tuple[str, ...] = ()
    logsource: LogSource = field(default_factory=LogSource)
    condition: Condition | None = field(default=None, repr=False)
    correlation: Correlation | None = None
    silent: bool = False
    pipelines: tuple[str, ...] = ()  # what it went through, by name or file
    filters: tuple[FilterDoc, ...] = ()  # in the order of their texts


def digest_of(text: str) -> str:
    """The hash of a rule."""
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=12).hexdigest()


@dataclass(frozen=True, slots=True)
class RuleSet:
    """What a load gave: the rules that work, and every fault of those that do not."""

    rules: tuple[Rule, ...]
    errors: tuple[RuleError, ...] = ()

    def get(self, name: str) -> Rule | None:
        """The rule with this id, name or (when only one has it) title."""
        for attribute in ("id", "name", "title"):
            found = [rule for rule in self.rules if getattr(rule, attribute) == name]
            if len(found) == 1:
                return found[0]
        return None


def beneath(rule: Rule, by_id: Mapping[str, Rule]) -> Iterator[Rule]:
    """The rule, and all that it counts, through others, too. Each once: several may be made of the same."""
    seen, waiting = {rule.id}, [rule]
    while waiting:
        one = waiting.pop(0)
        yield one
        fresh = [id_ for id_ in (one.correlation.rules if one.correlation else ()) if id_ not in seen]
        seen.update(fresh)
        waiting += (by_id[id_] for id_ in fresh)


def singles(rule: Rule, by_id: Mapping[str, Rule]) -> Iterator[Rule]:
    """The rules of single events beneath it; of such a rule itself."""
    return (one for one in beneath(rule, by_id) if one.correlation is None)
