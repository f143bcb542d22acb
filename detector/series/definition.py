"""What a series is: YAML that an administrator writes, read strictly.

A file holds one definition a document (`---` between them). What is wrong with one is said with file, line and field, and the others
run all the same.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from detector.series.document import BY_HAND, parsed, read
from detector.series.key import CLASS
from soc.errors import QueryError, RuleError
from soc.model.anomaly import SYSTEM_PREFIX
from soc.model.calendar import DAY_MS, HOUR_MS
from soc.model.system import SYSTEMS
from soc.query.parse import parse

CONTENT = Path(__file__).parent.parent / "content"
MAX_DEFINITIONS = 500
MAX_FIELDS = 4  # that one series groups by
MOST_SERIES = 5_000  # of one definition in one organisation
LEARNING_DAYS = {"others": 1, "volumes": 14, "by_load": 21}
_BUCKETS = {"30s": 30, "1m": 60, "5m": 300, "10m": 600, "15m": 900, "30m": 1800, "1h": 3600}
_LONGEST_MS = HOUR_MS  # after that, what was usual before says little about now
_HOURS_MS = DAY_MS  # of shares by the hour, which are to show a slow leak
_LEAK_MS = 7 * DAY_MS  # what is usual for weeks holds longer
_WITHIN = {"10s": 10, "20s": 20, "30s": 30, "1m": 60, "2m": 120, "5m": 300, "10m": 600}
_FIELD = re.compile(r"[a-z@][\w.@-]{0,119}")


class Measure(StrEnum):
    COUNT = "count"
    RATIO = "ratio"
    """Of the events, the share that `hit` finds."""
    CONVERSION = "conversion"
    """Events that `hit` finds over those that `where` finds, neither part of the other: from one step of a funnel to the next."""
    QUANTILE = "quantile"
    MEAN = "mean"
    """Geometric, as durations vary by factors: says something of few values, where a quantile needs many."""
    DISTINCT = "distinct"
    REPEATS = "repeats"
    """Of the events with the field, the share whose value came before in the same bucket, as of what is sent twice."""

    @property
    def is_share(self) -> bool:
        return self in (Measure.RATIO, Measure.CONVERSION, Measure.REPEATS)

    @property
    def is_volume(self) -> bool:
        return self in (Measure.COUNT, Measure.DISTINCT)


_USED_BY = {
    "hit": (Measure.RATIO, Measure.CONVERSION),
    "field": (Measure.QUANTILE, Measure.MEAN, Measure.DISTINCT, Measure.REPEATS),
    "quantile": (Measure.QUANTILE,),
    "scale": (Measure.QUANTILE, Measure.MEAN),
}


class Direction(StrEnum):
    HIGH = "high"
    LOW = "low"
    BOTH = "both"


def _query(text: str) -> str:
    try:
        parse(text)
    except QueryError as error:
        raise ValueError(f"is no search expression: {error}") from None
    return text


def _field(name: str) -> str:
    if not _FIELD.fullmatch(name):
        raise ValueError("is no field of an event")
    return name


def _system(name: str, info: ValidationInfo) -> str:
    """What was written down of a definition that ran with another is read all the same."""
    if info.context == BY_HAND and name not in SYSTEMS:
        raise ValueError(f"is {name!r}, and has to be one of {', '.join(SYSTEMS)}")
    return name


def _group(name: str) -> str:
    _field(name.removesuffix(CLASS))
    return name


Text = Annotated[str, Field(min_length=1, max_length=4000)]
Query = Annotated[str, Field(max_length=2000), AfterValidator(_query)]
FieldName = Annotated[str, AfterValidator(_field)]
SystemName = Annotated[str, AfterValidator(_system)]
GroupName = Annotated[str, AfterValidator(_group)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class Named(_Strict):
    """What a document of a file declares. `path`: the file."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{2,59}$")
    path: str = ""


class InLanguages(_Strict):
    vi: Text
    en: Text


class Page(_Strict):
    """When people are called: `change` is how far off is worth it (a share of what is usual; of a ratio, points of it; 0: as the measure
    has it), in at least so many `buckets`, and by at least so many events in all."""

    buckets: int = Field(2, ge=1, le=60)
    change: float = Field(0.0, ge=0, le=1000)
    least: float = Field(5.0, ge=0, le=1e9)


class Definition(Named):
    """One definition. Its series are those of each organisation and each combination of the values of `group_by`."""

    system: SystemName
    titles: InLanguages
    runbook: InLanguages | None = None
    dataset: str = Field(pattern=r"^[a-z0-9_.-]{1,60}$")
    where: Query = ""
    group_by: tuple[GroupName, ...] = Field((), max_length=MAX_FIELDS)
    measure: Measure
    hit: Query | None = None
    field: FieldName | None = None
    join: FieldName | None = None
    """Of a conversion: the id that both steps share. Then an event of `where` is a hit where one of `hit` has its id, `within` a time."""
    within: Literal["10s", "20s", "30s", "1m", "2m", "5m", "10m"] | None = None
    """1m where nothing is said."""
    by_load: bool = False
    """Of a mean in buckets of an hour: what is usual follows from how many events a bucket has, as the last weeks had it."""
    quantile: float = Field(0.95, gt=0, lt=1)
    scale: float = Field(1.0, gt=0, le=1e12)
    """What the values of a quantile or a mean are multiplied by: 1e-6 shows nanoseconds as milliseconds."""
    unit: str = Field("", max_length=20)
    bucket: Literal["30s", "1m", "5m", "10m", "15m", "30m", "1h"] = "1m"
    direction: Direction = Direction.BOTH
    severity: Literal["low", "medium", "high", "critical"] = "medium"
    max_series: int = Field(500, ge=1, le=MOST_SERIES)
    page: Page = Page()

    @field_validator(*_USED_BY)
    @classmethod
    def _is_used(cls, value: Any, info: ValidationInfo) -> Any:
        """Who writes a field means something by it. What is written down of a definition has all of them."""
        measure, uses = info.data.get("measure"), _USED_BY[info.field_name or ""]
        if info.context == BY_HAND and value is not None and measure is not None and measure not in uses:
            raise ValueError(f"is for the measures {', '.join(uses)}: a {measure} does not use it")
        return value

    @model_validator(mode="after")
    def _fits(self) -> Definition:
        if self.rule_id.startswith(SYSTEM_PREFIX):
            raise ValueError("names that begin with `system-` are ours: choose another")
        if self.measure in (Measure.RATIO, Measure.CONVERSION) and not (self.hit or "").strip():
            raise ValueError(f"a {self.measure} needs `hit`: which events are counted over those of `where`")
        if self.measure in (Measure.QUANTILE, Measure.MEAN, Measure.DISTINCT, Measure.REPEATS) and self.field is None:
            raise ValueError(f"a {self.measure} needs `field`: whose values")
        if self.measure is Measure.CONVERSION and self.where.strip() in ("", (self.hit or "").strip()):
            raise ValueError("a conversion needs `where`, other than `hit`: which events go into the step")
        if self.join is not None and self.measure is not Measure.CONVERSION:
            raise ValueError(f"`join` is for a conversion: a {self.measure} has no second step")
        if self.by_load and (self.measure is not Measure.MEAN or self.bucket != "1h"):
            raise ValueError("`by_load` is for a mean in buckets of an hour (`bucket: 1h`)")
        if self.join is None and self.within is not None:
            raise ValueError("`within` needs `join`: the field whose value both steps share")
        return self

    @model_validator(mode="after")
    def _can_call(self) -> Definition:
        """Whether anything at all is worth a call."""
        if self.measure.is_share and self.page.change >= 1:
            raise ValueError(f"`page.change` of a {self.measure} is in points of 1: 0.12 and not 12")
        most = self.adds_up_ms // self.bucket_ms
        if self.page.buckets > most:
            raise ValueError(
                f"`page.buckets` is {most} at most where a bucket is {self.bucket}: nothing adds up for longer"
            )
        return self

    @property
    def bucket_ms(self) -> int:
        return _BUCKETS[self.bucket] * 1000

    @property
    def within_ms(self) -> int:
        """How long a bucket waits for what belongs to it; 0 where nothing is joined."""
        return _WITHIN[self.within or "1m"] * 1000 if self.join is not None else 0

    @property
    def adds_up_ms(self) -> int:
        """How long evidence may add up, against what was usual before it began to."""
        if self.by_load:
            return _LEAK_MS
        if self.measure.is_share and self.bucket_ms >= HOUR_MS:
            return _HOURS_MS
        return max(_LONGEST_MS, 12 * self.bucket_ms)

    @property
    def learning_ms(self) -> int:
        """From its first value until somebody may be called: volumes are other on weekends, which have to be seen twice; and each week
        has its own load, of which three say what is usual."""
        kind = "by_load" if self.by_load else "volumes" if self.measure.is_volume else "others"
        return LEARNING_DAYS[kind] * DAY_MS

    @property
    def rule_id(self) -> str:
        """Of the alerts that its series raise."""
        return f"anomaly-{self.name}"

    @property
    def hash(self) -> str:
        """Changes with anything that changes what the numbers of a series mean."""
        what = self.model_dump_json(
            include={"dataset", "where", "group_by", "measure", "hit", "field", "quantile", "scale", "bucket"}
        )
        joined = f"{self.join} {self.within_ms}" if self.join is not None else ""
        by_load = "by load" if self.by_load else ""
        return hashlib.blake2b((what + joined + by_load).encode(), digest_size=8).hexdigest()


Some = TypeVar("Some", bound=Named)


class _OfFile(Protocol):
    @property
    def path(self) -> str: ...


Placed = TypeVar("Placed", bound=_OfFile)


@dataclass(frozen=True, slots=True)
class Definitions:
    """Those that can be used, by name, and what is wrong with the others."""

    by_name: Mapping[str, Definition]
    faults: tuple[RuleError, ...] = ()


def load(folders: Iterable[Path] = (CONTENT,), *, needed: bool = False) -> Definitions:
    """The definitions of these folders; see `declared`."""
    return Definitions(*declared(Definition, folders, needed=needed))


def loads(text: str, name: str) -> Definitions:
    """As `load`, of a text that is in no folder yet; `name` is that of its file in what is said of it."""
    found: dict[str, Definition] = {}
    faults: list[RuleError] = []
    _take(found, parsed(Definition, text, Path(name), faults), Path(name), faults)
    return Definitions(found, tuple(faults))


def instead(now: Definitions, before: Definitions) -> Definitions:
    """What was read again, and of files that have a fault now what ran from them and is missing, or is ours of that name."""
    return Definitions(gone_on(now.by_name, before.by_name, now.faults), now.faults)


def gone_on(now: Mapping[str, Placed], before: Mapping[str, Placed], faults: Iterable[RuleError]) -> dict[str, Placed]:
    """As `instead`, of another kind of document."""
    broken = {Path(fault.path) for fault in faults if fault.path}  # files, or folders that cannot be read
    left = {name: one for name, one in before.items() if broken & {Path(one.path), *Path(one.path).parents}}
    return {**now, **{name: one for name, one in left.items() if name not in now or is_ours(now[name].path)}}


def is_ours(path: str) -> bool:
    """Whether it comes with govsoc."""
    return Path(path).is_relative_to(Path(__file__).parent.parent)


def readable(docs: Mapping[str, Any]) -> dict[str, Definition]:
    """Of definitions that are kept as documents; those of another govsoc, which has not observed since, are left out."""
    found = {}
    for name, doc in docs.items():
        with suppress(ValidationError):
            found[name] = Definition.model_validate(doc)
    return found


def declared(
    model: type[Some], folders: Iterable[Path], *, needed: bool = False
) -> tuple[dict[str, Some], tuple[RuleError, ...]]:
    """Those of these folders (`*.yml`, at any depth), by name, and what is wrong with others. Of two with one name the one of the first
    folder holds, so that an administrator's replaces ours; of two in one folder the first does, and the other is a fault. `needed`: a
    folder that is not there is one, too; that one cannot be read always is."""
    found: dict[str, Some] = {}
    faults: list[RuleError] = []
    for folder in folders:
        here: dict[str, Some] = {}
        for path in _files(folder, faults, needed=needed):
            _take(here, read(model, path, faults), path, faults)
        found |= {name: one for name, one in here.items() if name not in found}
    return found, tuple(faults)


def _files(folder: Path, faults: list[RuleError], *, needed: bool) -> list[Path]:
    def told(error: OSError) -> None:
        if needed or not isinstance(error, FileNotFoundError):
            faults.append(RuleError(f"cannot be read: {error.strerror}", Path(error.filename)))

    return sorted(
        Path(place, name)
        for place, _, names in os.walk(folder, onerror=told)
        for name in names
        if fnmatchcase(name, "*.y*ml")
    )


def _take(found: dict[str, Some], some: Iterable[tuple[Some, int]], path: Path, faults: list[RuleError]) -> None:
    for definition, line in some:
        if definition.name in found:
            first = found[definition.name].path
            faults.append(RuleError(f"name: {definition.name} is there already, in {first}", path, line))
        elif len(found) >= MAX_DEFINITIONS:
            faults.append(RuleError(f"more than {MAX_DEFINITIONS} definitions: this one is left out", path, line))
        else:
            found[definition.name] = definition
