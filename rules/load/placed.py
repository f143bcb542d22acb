"""A draft in its place, and how others refer to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rules.compile.draft import Draft, Filter
from rules.condition import Condition
from soc.errors import RuleError
from soc.model.rule import LogSource


@dataclass(frozen=True, slots=True)
class Placed:
    """A draft in the file where it was found. `narrowing(filter, log source)`: a filter's condition, as it applies to this rule.

    It raises an ExceptionGroup of RuleErrors.
    """

    draft: Draft
    path: str
    pipelines: tuple[str, ...]
    narrowing: Callable[[Filter, LogSource], Condition]

    def fault(self, reason: str, place: str) -> RuleError:
        where = self.draft.places.get(place) or self.draft.places.get("rules") or (self.draft.rule.line, 1)
        return RuleError(reason, self.path, *where)


def named(reference: str, among: Sequence[Placed], path: str) -> list[Placed]:
    """Those with this id or name; in the same file, where there are several."""
    named = [one for one in among if reference.lower() == one.draft.rule.id or reference == one.draft.rule.name]
    return [one for one in named if one.path == path] or named


def referred(reference: str, among: Sequence[Placed], path: str) -> Placed:
    """Raises LookupError with the reason."""
    found = named(reference, among, path)
    if len(found) != 1:
        raise LookupError(
            f"{len(found)} rules are called {reference!r}" if found else f"no rule that works is called {reference!r}"
        )
    return found[0]
