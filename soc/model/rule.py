"""RuleDoc: what is kept of a rule so that people can read why something fired, also after the rule has changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class LogSource:
    """Sigma's `logsource` of a rule, lower case; None where the rule does not say."""

    product: str | None = None
    category: str | None = None
    service: str | None = None

    def __str__(self) -> str:
        named = (("product", self.product), ("category", self.category), ("service", self.service))
        return ", ".join(f"{name} {value}" for name, value in named if value)


@dataclass(frozen=True, slots=True)
class RuleDoc:
    """`hash` identifies this text of the rule; `title`, `runbook` and `titles` by language (`vi`, `en`).

    `logsources`: any of them makes it fire; a correlation has those of its base rules. Empty: not known.
    """

    id: str
    hash: str
    title: str
    level: str
    text: str
    path: str = ""
    titles: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    tags: tuple[str, ...] = ()
    runbook: Mapping[str, str] = field(default_factory=dict)
    falsepositives: tuple[str, ...] = ()
    silent: bool = False  # only feeds correlations
    logsources: tuple[LogSource, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleFault:
    """A rule that could not be loaded, or broke at run time."""

    reason: str
    path: str | None = None
    line: int | None = None
    rule_id: str | None = None
