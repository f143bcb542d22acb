"""What a new version of a package changes, by rule: added, removed, or changed, and in what."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath

import orjson

from rules.load.folders import is_cases
from rules.read.document import documents
from rules.rule import digest_of
from soc.errors import RuleError

_MEANING = ("detection", "logsource", "correlation", "filter")
FILTER = "filter"
DEAD = ("deprecated", "unsupported")  # statuses that nobody wants unless they ask for them


class What(StrEnum):
    DETECTION = "detection"  # what it looks for
    LEVEL = "level"
    TEXT = "text"  # only what people read


@dataclass(frozen=True, slots=True)
class Described:
    """As much of a rule, or of a filter, as an import has to know. `level` of a filter: `FILTER`. `meaning`: what it looks for,
    whatever its spelling."""

    id: str
    title: str
    level: str
    status: str
    product: str
    text: str
    meaning: bytes


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rules of a package; empty: all of them, but the dead. A filter has no level and seldom a status: it comes with the product."""

    levels: Collection[str] = ()
    products: Collection[str] = ()
    statuses: Collection[str] = ()

    def wants(self, rule: Described) -> bool:
        if self.products and rule.product not in self.products:
            return False
        if rule.level == FILTER:
            return rule.status not in DEAD
        return (rule.level in self.levels if self.levels else True) and (
            rule.status in self.statuses if self.statuses else rule.status not in DEAD
        )


@dataclass(frozen=True, slots=True)
class Changed:
    before: Described
    after: Described
    what: tuple[What, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    added: list[Described] = field(default_factory=list)
    removed: list[Described] = field(default_factory=list)
    changed: list[Changed] = field(default_factory=list)


def difference(before: Mapping[str, Described], after: Mapping[str, Described]) -> Difference:
    """Each list by title."""
    changed = [
        Changed(before[id_], rule, what)
        for id_, rule in after.items()
        if id_ in before and (what := _what(before[id_], rule))
    ]
    return Difference(
        sorted((rule for id_, rule in after.items() if id_ not in before), key=lambda rule: rule.title),
        sorted((rule for id_, rule in before.items() if id_ not in after), key=lambda rule: rule.title),
        sorted(changed, key=lambda one: one.after.title),
    )


def _what(before: Described, after: Described) -> tuple[What, ...]:
    found = []
    if before.meaning != after.meaning:
        found.append(What.DETECTION)
    if before.level != after.level:
        found.append(What.LEVEL)
    return tuple(found) or ((What.TEXT,) if before.text != after.text else ())


def described(text: str, path: Path | PurePosixPath, errors: list[RuleError]) -> list[Described]:
    """The rules of a file, as far as they can be read; what is no rule, such as a pipeline or a workflow, is left out."""
    return [
        _described(document.data, document.text)
        for document in documents(text, str(path), errors)
        if any(key in document.data for key in ("detection", "correlation", "filter"))
        and ("title" in document.data or "id" in document.data)
    ]


def _described(data: Mapping[str, object], text: str) -> Described:
    source = data.get("logsource")
    return Described(
        id=str(data.get("id") or "").lower()
        or str(data.get("name") or digest_of(text)),  # as `rules.read.describe` has it
        title=str(data.get("title") or ""),
        level=FILTER if "filter" in data else str(data.get("level") or "medium").lower(),
        status=str(data.get("status") or "").lower(),
        product=str(source.get("product") or "").lower() if isinstance(source, dict) else "",
        text=text,
        meaning=orjson.dumps(
            {key: data.get(key) for key in _MEANING},
            default=str,
            option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS,
        ),
    )


def described_in(folders: Iterable[Path]) -> dict[str, Described]:
    """Id -> rule, of all files in these folders and of single files; what cannot be read has no rules."""
    found: dict[str, Described] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*.y*ml")) if folder.is_dir() else [folder]:
            if not is_cases(path):
                for rule in described(_text(path), path, []):
                    found.setdefault(rule.id, rule)
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
