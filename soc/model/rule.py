"""RuleDoc: what is kept of a rule so that people can read why something fired, also after the rule has changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from soc.model.asked import Asked


class Stage(StrEnum):
    """How far a rule has come. Draft: not evaluated. Test: evaluated and counted, its alerts kept from the queue. Live: all of it."""

    DRAFT = "draft"
    TEST = "test"
    LIVE = "live"


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
class FilterDoc:
    """A Sigma filter as it narrows one rule: its own text, and the file where it lies."""

    id: str
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class RuleDoc:
    """`hash` identifies this text of the rule; `title`, `runbook` and `titles` by language (`vi`, `en`).

    `logsources`: any of them makes it fire; a correlation has those of its base rules. Empty: not known.
    `package`: what it was imported with, empty: nothing. `pipelines`: the processing pipelines that it went through, by name or file.
    `filters`: those that narrow it; `text` ends with theirs.
    Of a correlation: the ids of its base rules, the fields that it groups by, how much it takes to fire, and what of that can be set
    otherwise (None: not known).
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
    bases: tuple[str, ...] = ()
    group_by: tuple[str, ...] = ()
    at_least: int = 0
    asked: Asked | None = None
    author: str = ""
    license: str = ""
    package: str = ""
    pipelines: tuple[str, ...] = ()
    filters: tuple[FilterDoc, ...] = ()

    @property
    def own_text(self) -> str:
        """Without what filters add to it."""
        text = self.text
        for one in reversed(self.filters):
            text = text.removesuffix(joined("", one.text))
        return text


def joined(*texts: str) -> str:
    """Several documents as the text of one file."""
    return "\n---\n".join(texts)


@dataclass(frozen=True, slots=True)
class RuleCost:
    """CPU time (mean, seconds) that a rule takes for one event when it is evaluated alone, of so many samples."""

    rule_id: str
    samples: int
    seconds: float


@dataclass(frozen=True, slots=True)
class RulesInForce:
    """Which rules the detector runs: how many, the hash of them all, and since when. Times are ms since 1970.

    `checked`: when their files were last read. `loading_since`: the files have changed, and what they say now is being compiled.
    """

    hash: str
    rules: int
    since: int
    checked: int
    loading_since: int | None = None


@dataclass(frozen=True, slots=True)
class RuleFault:
    """A rule that could not be loaded, or broke at run time."""

    reason: str
    path: str | None = None
    line: int | None = None
    rule_id: str | None = None
