"""Which entities are watched: YAML that an administrator writes, read as the definitions of series are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from detector.entities.text import TOGETHER
from detector.series.definition import FieldName, InLanguages, Named, Query, SystemName, declared
from soc.errors import RuleError
from soc.model.unusual import RULE_PREFIX

CONTENT = Path(__file__).parent / "content"
_MINUTES = {"5m": 5, "10m": 10, "15m": 15, "30m": 30, "1h": 60}


class People(Named):
    """One kind of entity: `entity` says which field (or fields together) names it, `what` which fields' values are looked at.

    `per_day`: items that are shown a day at most, of each organisation.
    """

    system: SystemName
    titles: InLanguages
    runbook: InLanguages | None = None
    datasets: tuple[Annotated[str, Field(pattern=r"^[a-z0-9_.-]{1,60}$")], ...] = Field(min_length=1, max_length=8)
    where: Query = ""
    entity: tuple[FieldName, ...] = Field(min_length=1, max_length=4)
    what: tuple[FieldName, ...] = Field(min_length=1, max_length=16)
    bucket: Literal["5m", "10m", "15m", "30m", "1h"] = "15m"
    per_day: int = Field(2, ge=1, le=100)
    severity: Literal["low", "medium", "high", "critical"] = "medium"

    @model_validator(mode="after")
    def _each_once(self) -> People:
        for name in ("datasets", "entity", "what"):
            if len(set(getattr(self, name))) < len(getattr(self, name)):
                raise ValueError(f"`{name}` names one twice")
        return self

    @property
    def minutes(self) -> int:
        return _MINUTES[self.bucket]

    @property
    def field(self) -> str:
        """As an alert names it."""
        return TOGETHER.join(self.entity)

    @property
    def rule_id(self) -> str:
        return f"{RULE_PREFIX}{self.name}"

    @property
    def hash(self) -> str:
        """Changes with anything that changes what has been learned."""
        what = self.model_dump_json(include={"datasets", "where", "entity", "what", "bucket"})
        return hashlib.blake2b(what.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Declared:
    """Those that can be used, by name, and what is wrong with the others."""

    by_name: dict[str, People]
    faults: tuple[RuleError, ...] = ()


def load(folders: Iterable[Path] = (CONTENT,), *, needed: bool = False) -> Declared:
    """Those of these folders; see `declared`."""
    return Declared(*declared(People, folders, needed=needed))
