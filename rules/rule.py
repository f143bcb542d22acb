"""Rule: one Sigma document, read and understood. Plain data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from rules.condition import Condition
from soc.errors import RuleError
from soc.model.rule import LogSource

Place = tuple[int, int]  # line and column in a file, from 1


@dataclass(frozen=True, slots=True)
class Correlation:
    """How findings of other rules add up. `fields` maps a group-by name to the field of each base rule (aliases)."""

    type: Literal["event_count", "value_count"]
    rules: tuple[str, ...]  # ids of the base rules
    group_by: tuple[str, ...]
    timespan_ms: int
    at_least: int
    counted: tuple[str, ...] = ()  # value_count: the field or fields whose values are counted
    aliases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # alias -> base rule id -> field

    def names_for(self, rule_id: str) -> tuple[str, ...]:
        """The fields to group a finding of this base rule by, in the order of `group_by`."""
        return tuple(self.aliases.get(name, {}).get(rule_id, name) for name in self.group_by)


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
