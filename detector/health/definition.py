"""Service level objectives as administrators write them: YAML, read as the definitions of series are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from detector.series.definition import FieldName, InLanguages, Named, Query, SystemName, declared
from soc.errors import RuleError
from soc.query.evaluate import Predicate, predicate
from soc.query.parse import parse

CONTENT = Path(__file__).parent / "content"
MAX_SLOS = 200


class Objective(Named):
    """A document of a file. `where`: which events count; `good`: which of these are good; `objective`: percent that should be."""

    titles: InLanguages
    system: SystemName
    measure: Literal["success", "latency"]
    datasets: tuple[Annotated[str, Field(pattern=r"^[a-z0-9_.-]{1,60}$")], ...] = Field(min_length=1, max_length=20)
    where: Query = ""
    good: Annotated[Query, Field(min_length=1)]
    upstream: tuple[FieldName, ...] = Field((), max_length=5)
    local: tuple[FieldName, ...] = Field((), max_length=5)
    objective: float = Field(ge=50, le=99.999)


@dataclass(frozen=True, slots=True)
class Slo:
    """One objective. `counts`: whether an event is about it; `good`: whether that went well. `objective`: the share that should, 0..1.

    `upstream`, `local`: the fields that say who had to answer and who asked (or where it was asked); the first one that an event has
    counts. `text`: what decides which events count, so that counts are not taken over from another meaning.
    """

    name: str
    titles: dict[str, str]
    system: str
    measure: Literal["success", "latency"]
    datasets: tuple[str, ...]
    counts: Predicate
    good: Predicate
    upstream: tuple[str, ...]
    local: tuple[str, ...]
    objective: float
    text: str
    path: str = ""  # of its file

    @property
    def budget(self) -> float:
        """The share that may go wrong, 0..1."""
        return 1.0 - self.objective


def load(folders: Sequence[Path] = (CONTENT,)) -> tuple[list[Slo], list[RuleError]]:
    """The objectives of these folders, by name, and what is wrong with those that are left out; see `declared`."""
    found, wrong = declared(Objective, folders)
    faults = [*wrong]
    if len(found) > MAX_SLOS:
        faults.append(RuleError(f"{len(found)} objectives, the first {MAX_SLOS} by name run"))
    return [_slo(found[name]) for name in sorted(found)[:MAX_SLOS]], faults


def _slo(written: Objective) -> Slo:
    what = "\0".join((*written.datasets, written.where, written.good, "", *written.upstream, "", *written.local))
    return Slo(
        name=written.name,
        titles=written.titles.model_dump(),
        system=written.system,
        measure=written.measure,
        datasets=written.datasets,
        counts=predicate(parse(written.where)),
        good=predicate(parse(written.good)),
        upstream=written.upstream,
        local=written.local,
        objective=written.objective / 100,
        text=what,
        path=written.path,
    )
