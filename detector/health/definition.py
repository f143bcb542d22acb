"""Service level objectives as administrators write them: YAML files, each fault said with file, line, field and reason."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from soc.errors import QueryError
from soc.model.system import SYSTEMS
from soc.query.evaluate import Predicate, predicate
from soc.query.parse import parse

CONTENT = Path(__file__).parent / "content"
MAX_BYTES = 256 << 10
MAX_FILES = 200
MAX_SLOS = 200

_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
_FieldName = Annotated[str, Field(pattern=r"^[@\w][\w.@-]{0,127}$")]
_Title = Annotated[str, Field(min_length=1, max_length=120)]


class _Titles(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    vi: _Title
    en: _Title


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: _Name
    titles: _Titles
    system: str
    measure: Literal["success", "latency"]
    datasets: Annotated[list[_FieldName], Field(min_length=1, max_length=20)]
    where: str = ""
    good: Annotated[str, Field(min_length=1)]
    upstream: Annotated[list[_FieldName], Field(max_length=5)] = []
    local: Annotated[list[_FieldName], Field(max_length=5)] = []
    objective: Annotated[float | int, Field(ge=50, le=99.999)]


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

    @property
    def budget(self) -> float:
        """The share that may go wrong, 0..1."""
        return 1.0 - self.objective


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an objective does not run; the others do. `line` counts from 1."""

    path: str
    line: int
    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.field + ': ' if self.field else ''}{self.reason}"


def load(folders: Sequence[Path] = (CONTENT,)) -> tuple[list[Slo], list[Fault]]:
    """The objectives in `*.yml` of these folders, by name. One of a later folder replaces the one of that name in an earlier one;
    one that is wrong is left out, with its fault."""
    found: dict[str, Slo] = {}
    faults: list[Fault] = []
    for folder in folders:
        here: dict[str, Slo] = {}
        paths = sorted(folder.glob("*.yml"))
        if len(paths) > MAX_FILES:
            faults.append(Fault(str(folder), 1, "", f"{len(paths)} files, {MAX_FILES} are read"))
        for path in paths[:MAX_FILES]:
            _read(path, here, faults)
        found |= here
    if len(found) > MAX_SLOS:
        faults.append(Fault(str(folders[-1]), 1, "slos", f"{len(found)} objectives, the first {MAX_SLOS} by name run"))
    return [found[name] for name in sorted(found)[:MAX_SLOS]], faults


def _read(path: Path, found: dict[str, Slo], faults: list[Fault]) -> None:
    """Add what one file holds to what was found."""
    try:
        if path.stat().st_size > MAX_BYTES:
            faults.append(Fault(str(path), 1, "", f"is larger than {MAX_BYTES} bytes"))
            return
        loader = _Loader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        document = loader.construct_document(node) if node is not None else None
    except (OSError, UnicodeDecodeError) as error:
        faults.append(Fault(str(path), 1, "", f"cannot be read: {error}"))
        return
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or f"cannot be read: {error}"
        faults.append(Fault(str(path), mark.line + 1 if mark else 1, "", str(reason)))
        return
    entries = document.get("slos") if isinstance(document, dict) and document.keys() == {"slos"} else None
    if node is None or not isinstance(entries, list):
        faults.append(
            Fault(str(path), 1, "slos", "the file has to be `slos:` with a list of objectives, and nothing else")
        )
        return
    for number, entry in enumerate(entries):
        _one(str(path), node, number, entry, found, faults)


def _one(path: str, node: yaml.Node, number: int, entry: object, found: dict[str, Slo], faults: list[Fault]) -> None:
    def fault(field: tuple[str | int, ...], reason: str) -> None:
        faults.append(Fault(path, _line(node, ("slos", number, *field)), ".".join(map(str, field)), reason))

    try:
        written = _Written.model_validate(entry)
    except ValidationError as error:
        for one in error.errors():
            fault(one["loc"], one["msg"])
        return
    if written.system not in SYSTEMS:
        fault(("system",), f"is {written.system!r}, and has to be one of {', '.join(SYSTEMS)}")
        return
    tests: list[Predicate] = []
    for name, text in (("where", written.where), ("good", written.good)):
        try:
            tests.append(predicate(parse(text)))
        except QueryError as error:
            fault((name,), str(error))
            return
    if written.name in found:
        fault(("name",), f"{written.name} is there twice")
        return
    what = "\0".join((*written.datasets, written.where, written.good, "", *written.upstream, "", *written.local))
    found[written.name] = Slo(
        name=written.name,
        titles=written.titles.model_dump(),
        system=written.system,
        measure=written.measure,
        datasets=tuple(written.datasets),
        counts=tests[0],
        good=tests[1],
        upstream=tuple(written.upstream),
        local=tuple(written.local),
        objective=float(written.objective) / 100,
        text=what,
    )


class _Loader(yaml.SafeLoader):
    """A key that is there twice is a mistake: YAML would silently take the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.MarkedYAMLError(problem=f"{key.value} is there twice", problem_mark=key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):  # they make huge documents of small files
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases (*) are not read", problem_mark=mark)
        return super().compose_node(parent, index)


def _line(node: yaml.Node, keys: tuple[str | int, ...]) -> int:
    """The line (from 1) of what these keys lead to, or of the last one that is there."""
    line: int = node.start_mark.line
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            pair = next(((name, value) for name, value in node.value if name.value == key), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            node = node.value[key]
            line = node.start_mark.line
        else:
            break
    return line + 1
