"""Rule files to a RuleSet. One bad rule never stops the others: every fault is collected, with file and line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rules.document import Document, documents, read
from rules.pipeline import Reference, pipeline_of
from rules.rule import Rule, RuleSet
from soc.errors import RuleError
from soc.model.rule import LogSource

if TYPE_CHECKING:
    from sigma.processing.pipeline import ProcessingPipeline

CONTENT = Path(__file__).parent / "content"
MAX_FILES = 50_000


@dataclass(frozen=True, slots=True)
class Folder:
    """Rules that belong together: a file or a directory of them (`*.yml`, `*.yaml`; `*.cases.yml` are left out), and what every one of
    them goes through. `instead`: path -> text that is taken in place of what is in the file, be it there or not."""

    path: Path
    pipelines: Sequence[Reference] = ()
    instead: Mapping[str, str] = field(default_factory=dict)


def load(paths: Iterable[Path] = (CONTENT,), pipelines: Sequence[Reference] = ()) -> RuleSet:
    """Load rule files and directories of them, in the order of their names.

    `pipelines`: pySigma processing pipelines, applied to every rule. Raises ConfigError when one of them is not usable.
    """
    return load_folders([Folder(path, pipelines) for path in paths])


def load_folders(folders: Iterable[Folder]) -> RuleSet:
    """As `load`, each folder with pipelines of its own. Their rules may name each other; of two with one id, the first one is taken."""
    errors: list[RuleError] = []
    found: dict[tuple[Reference, ...], list[Document]] = {}
    for folder in folders:
        some = [document for file in _files(folder, errors) for document in _documents(file, folder.instead, errors)]
        found.setdefault(tuple(folder.pipelines), []).extend(some)
    return _assemble(found, errors)


def loads(text: str, path: str = "<text>", pipelines: Sequence[Reference] = ()) -> RuleSet:
    """The rules of one text; `path` is the name that its errors carry."""
    return of_texts([(path, text, pipelines)])


def of_texts(texts: Iterable[tuple[str, str, Sequence[Reference]]]) -> RuleSet:
    """The rules of several texts, as (name, text, pipelines): of rules that were loaded before, say, and are kept without their files."""
    errors: list[RuleError] = []
    found: dict[tuple[Reference, ...], list[Document]] = {}
    for path, text, pipelines in texts:
        found.setdefault(tuple(pipelines), []).extend(documents(text, path, errors))
    return _assemble(found, errors)


def _files(folder: Folder, errors: list[RuleError]) -> list[Path]:
    path = folder.path
    replaced = {Path(name) for name in folder.instead}
    if path.is_dir():
        found = {p for p in path.rglob("*.y*ml") if p.suffix in (".yml", ".yaml") and not is_cases(p) and p.is_file()}
        files = sorted(found | replaced)
        if len(files) > MAX_FILES:
            errors.append(RuleError(f"{len(files)} files; only the first {MAX_FILES} are loaded", path))
        return files[:MAX_FILES]
    if not path.exists():
        errors.append(RuleError("no such file or directory", path))
        return sorted(replaced)
    return [path]


def _documents(file: Path, instead: Mapping[str, str], errors: list[RuleError]) -> list[Document]:
    text = instead.get(str(file))
    return read(file, errors) if text is None else list(documents(text, str(file), errors))


def is_cases(path: Path) -> bool:
    return path.name.endswith((".cases.yml", ".cases.yaml"))


@dataclass(frozen=True, slots=True)
class _Draft:
    rule: Rule
    document: Document
    base_alerts: bool  # `generate`: a base rule alerts by itself although a correlation uses it


def _assemble(found: Mapping[tuple[Reference, ...], Sequence[Document]], errors: list[RuleError]) -> RuleSet:
    """`found`: the documents by the pipelines that they go through."""
    drafts: list[_Draft] = []
    for pipelines, some in found.items():
        pipeline, names = pipeline_of(pipelines), tuple(map(str, pipelines))
        made = (_draft(document, pipeline, errors) for document in some)
        drafts += (replace(draft, rule=replace(draft.rule, pipelines=names)) for draft in made if draft is not None)
    drafts = _unique(drafts, errors)
    return RuleSet(tuple(_linked(drafts, errors)), tuple(errors))


def _draft(document: Document, pipeline: ProcessingPipeline | None, errors: list[RuleError]) -> _Draft | None:
    from rules import (
        compile as compiling,
    )  # pySigma takes 0.2 s and 20 MB to import: only for loading, never for matching

    for key, reason in (
        ("filter", "Sigma filters are not supported yet"),
        ("action", "the old 'action' documents are not supported"),
    ):
        if key in document.data:
            errors.append(document.fault(reason, key))
            return None
    try:
        rule = _described(document)
        if "correlation" in document.data:
            correlation, base_alerts = compiling.correlation(document, pipeline)
            return _Draft(replace(rule, correlation=correlation), document, base_alerts)
        condition, source = compiling.detection(document, pipeline)
        rule = replace(
            rule, condition=condition, logsource=LogSource(**{k: v.lower() if v else None for k, v in source.items()})
        )
        return _Draft(rule, document, document.data.get("generate") is True)
    except RuleError as error:
        errors.append(error)
    except ExceptionGroup as group:
        errors.extend(error for error in group.exceptions if isinstance(error, RuleError))
    except Exception as error:  # noqa: BLE001 - one rule; whatever pySigma stumbles over must not stop the others
        errors.append(document.fault(f"cannot be understood ({type(error).__name__}: {error})"))
    return None


def _described(document: Document) -> Rule:
    """Everything of a rule but what it detects. Types that pySigma checks as well are left to it."""
    data = document.data
    own = _mapping(document, data.get("govsoc"), "govsoc")
    runbook = _mapping(document, own.get("runbook"), "govsoc", "runbook")
    titles = _mapping(document, own.get("title"), "govsoc", "title")
    return Rule(
        id=id_of(data, document.text),
        hash=digest_of(document.text),
        text=document.text,
        title=str(data.get("title") or ""),
        path=document.path,
        line=document.line,
        name=_text(document, data.get("name"), "name"),
        title_vi=_text(document, titles.get("vi"), "govsoc", "title"),
        level=str(data.get("level") or "medium").lower(),
        status=_text(document, data.get("status"), "status"),
        tags=_words(data.get("tags")),
        entity=_text(document, own.get("entity"), "govsoc", "entity"),
        runbook_vi=_text(document, runbook.get("vi"), "govsoc", "runbook", "vi"),
        runbook_en=_text(document, runbook.get("en"), "govsoc", "runbook", "en"),
        description=_text(document, data.get("description"), "description"),
        author=_text(document, data.get("author"), "author"),
        license=_text(document, data.get("license"), "license"),
        references=_words(data.get("references")),
        falsepositives=_words(data.get("falsepositives")),
    )


def id_of(data: Mapping[str, object], text: str) -> str:
    """By what everybody knows the rule of this document."""
    return str(data["id"]).lower() if data.get("id") else str(data.get("name") or digest_of(text))


def digest_of(text: str) -> str:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=12).hexdigest()


def _mapping(document: Document, value: object, *keys: str) -> Mapping[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise document.fault(f"{'.'.join(keys)} must be a mapping", *keys)
    return {str(key): item for key, item in value.items()}


def _text(document: Document, value: object, *keys: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise document.fault(f"{'.'.join(keys)} must be text", *keys)
    return value


def _words(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def _unique(drafts: Iterable[_Draft], errors: list[RuleError]) -> list[_Draft]:
    kept: dict[str, _Draft] = {}
    for draft in drafts:
        first = kept.setdefault(draft.rule.id, draft)
        if first is not draft:
            reason = f"the id {draft.rule.id} is already taken by {first.rule.path}:{first.rule.line}"
            errors.append(draft.document.fault(reason, "id"))
    return list(kept.values())


def _linked(drafts: Sequence[_Draft], errors: list[RuleError]) -> list[Rule]:
    """Correlations with the ids of their base rules, and base rules that only feed them made silent."""
    fed: set[str] = set()
    correlations: dict[str, Rule] = {}
    for draft in drafts:
        if draft.rule.correlation is None:
            continue
        try:
            rule = _resolved(draft, drafts)
        except RuleError as error:
            errors.append(error)
            continue
        correlations[rule.id] = rule
        if not draft.base_alerts and rule.correlation is not None:
            fed.update(rule.correlation.rules)
    linked = []
    for draft in drafts:
        if draft.rule.correlation is None:
            linked.append(replace(draft.rule, silent=draft.rule.id in fed and not draft.base_alerts))
        elif draft.rule.id in correlations:
            linked.append(correlations[draft.rule.id])
    return linked


def _resolved(draft: _Draft, drafts: Sequence[_Draft]) -> Rule:
    correlation = draft.rule.correlation
    assert correlation is not None

    def resolve(reference: str) -> str:
        named = [d for d in drafts if reference.lower() == d.rule.id or reference == d.rule.name]
        near = [d for d in named if d.rule.path == draft.rule.path] or named
        if len(near) != 1:
            reason = f"{len(near)} rules are called" if near else "no rule that works is called"
            raise draft.document.fault(f"{reason} {reference!r}", "correlation", "rules")
        if near[0].rule.correlation is not None:
            raise draft.document.fault("a correlation of a correlation is not supported yet", "correlation", "rules")
        return near[0].rule.id

    if not correlation.rules:
        raise draft.document.fault("a correlation needs rules", "correlation", "rules")
    aliases = {alias: {resolve(r): field for r, field in names.items()} for alias, names in correlation.aliases.items()}
    return replace(
        draft.rule, correlation=replace(correlation, rules=tuple(map(resolve, correlation.rules)), aliases=aliases)
    )
