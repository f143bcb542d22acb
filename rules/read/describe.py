"""Everything of a rule but what it detects: its header, checked key by key."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rules.read.document import Document
from rules.rule import Rule, digest_of
from soc.errors import RuleError

Note = Callable[..., None]  # (reason, *keys)

_TEXTS = ("id", "name", "title", "description", "author", "license", "level", "status", "taxonomy")
_LISTS = ("tags", "references", "falsepositives", "fields", "scope", "related")


def faults(document: Document) -> dict[str, list[RuleError]]:
    """Wrong types, by the key at the top under which they are. What is in a text is for pySigma to check."""
    found: dict[str, list[RuleError]] = {}

    def note(reason: str, *keys: str | int) -> None:
        found.setdefault(str(keys[0]), []).append(document.fault(reason, *keys))

    data = document.data
    for key in _TEXTS:
        _text(data.get(key), note, key)
    for key in _LISTS:
        value = data.get(key)
        if value is not None and not isinstance(value, list):
            note(f"{key} must be a list", key)
            continue
        for index, one in enumerate(value or ()):
            if key == "related" and not (isinstance(one, dict) and _is_relation(one)):
                note("related must be a list of mappings with id and type", key, index)
            elif key != "related" and not isinstance(one, str | int | float):
                note(f"{key} must be a list of texts", key, index)
    _correlation(data.get("correlation"), note)
    own = _mapping(data.get("govsoc"), note, "govsoc")
    _text(own.get("entity"), note, "govsoc", "entity")
    for key in ("title", "runbook"):
        for language, text in _mapping(own.get(key), note, "govsoc", key).items():
            _text(text, note, "govsoc", key, language)
    return found


def _correlation(value: object, note: Note) -> None:
    """The names in it; numbers and words are for the compiler to check."""
    correlation = _mapping(value, note, "correlation")
    for key in ("rules", "group-by"):
        named = correlation.get(key)
        for index, one in enumerate(named if isinstance(named, list) else [] if named is None else [named]):
            if not isinstance(one, str):
                note(f"correlation.{key} must be names", "correlation", key, index)
    for alias, fields in _mapping(correlation.get("aliases"), note, "correlation", "aliases").items():
        for rule, name in _mapping(fields, note, "correlation", "aliases", alias).items():
            if not isinstance(name, str):
                note("an alias stands for the field of a rule", "correlation", "aliases", alias, rule)


def _is_relation(one: Mapping[str, object]) -> bool:
    return isinstance(one.get("id"), str) and isinstance(one.get("type"), str)


def described(document: Document) -> Rule:
    """The rule without what it detects, of a document without `faults`; its path is left to who knows it."""
    data = document.data
    own = _Header(data.get("govsoc"))
    titles, runbook = _Header(own.get("title")), _Header(own.get("runbook"))
    top = _Header(data)
    digest = digest_of(document.text)
    return Rule(
        id=(top.text("id") or "").lower() or top.text("name") or digest,
        hash=digest,
        text=document.text,
        title=top.text("title") or "",
        line=document.line,
        name=top.text("name"),
        title_vi=titles.text("vi"),
        level=(top.text("level") or "medium").lower(),
        status=top.text("status"),
        tags=top.texts("tags"),
        entity=own.text("entity"),
        runbook_vi=runbook.text("vi"),
        runbook_en=runbook.text("en"),
        description=top.text("description"),
        author=top.text("author"),
        license=top.text("license"),
        references=top.texts("references"),
        falsepositives=top.texts("falsepositives"),
    )


class _Header(dict[str, object]):
    def __init__(self, value: object) -> None:
        super().__init__({str(key): one for key, one in value.items()} if isinstance(value, dict) else {})

    def text(self, key: str) -> str | None:
        value = self.get(key)
        return value if isinstance(value, str) else None

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.get(key)
        return tuple(map(str, value)) if isinstance(value, list) else ()


def _mapping(value: object, note: Note, *keys: str) -> Mapping[str, object]:
    if value is not None and not isinstance(value, dict):
        note(f"{'.'.join(keys)} must be a mapping", *keys)
    return _Header(value)


def _text(value: object, note: Note, *keys: str) -> None:
    if value is not None and not isinstance(value, str):
        note(f"{'.'.join(keys)} must be text", *keys)
