"""Rule files to a RuleSet. One bad rule never stops the others: every fault is collected, with file and line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rules.document import Document, documents, read
from rules.link import Draft, linked
from rules.rule import Rule, RuleSet
from soc.errors import RuleError
from soc.model.rule import LogSource

if TYPE_CHECKING:
    from sigma.processing.pipeline import ProcessingPipeline

CONTENT = Path(__file__).parent / "content"
PIPELINES = Path(__file__).parent / "pipelines"
MAX_FILES = 50_000


def load(paths: Iterable[Path] = (CONTENT,), pipelines: Sequence[Path] = ()) -> RuleSet:
    """Load rule files and directories of them (`*.yml`, `*.yaml`; `*.cases.yml` are left out), in the order of their names.

    `pipelines`: pySigma processing pipeline files, applied to every rule. Raises ConfigError when one of them is not usable.
    """
    errors: list[RuleError] = []
    found = [document for path in paths for file in _files(path, errors) for document in read(file, errors)]
    return _assemble(found, errors, pipelines)


def loads(text: str, path: str = "<text>", pipelines: Sequence[Path] = ()) -> RuleSet:
    """The rules of one text; `path` is the name that its errors carry."""
    errors: list[RuleError] = []
    return _assemble(list(documents(text, path, errors)), errors, pipelines)


def of_texts(texts: Iterable[tuple[str, str]], pipelines: Sequence[Path] = ()) -> RuleSet:
    """The rules of several texts, as (name, text): of rules that were loaded before, say, and are kept without their files."""
    errors: list[RuleError] = []
    found = [document for path, text in texts for document in documents(text, path, errors)]
    return _assemble(found, errors, pipelines)


def _files(path: Path, errors: list[RuleError]) -> list[Path]:
    if path.is_dir():
        found = sorted(
            p for p in path.rglob("*.y*ml") if p.suffix in (".yml", ".yaml") and not is_cases(p) and p.is_file()
        )
        if len(found) > MAX_FILES:
            errors.append(RuleError(f"{len(found)} files; only the first {MAX_FILES} are loaded", path))
        return found[:MAX_FILES]
    if not path.exists():
        errors.append(RuleError("no such file or directory", path))
        return []
    return [path]


def is_cases(path: Path) -> bool:
    return path.name.endswith((".cases.yml", ".cases.yaml"))


def _assemble(found: Sequence[Document], errors: list[RuleError], pipelines: Sequence[Path]) -> RuleSet:
    # pySigma takes 0.2 s and 20 MB to import: only for loading, never for matching.
    from rules.compile import pipeline_of

    pipeline = pipeline_of(pipelines)
    drafts = [draft for document in found if (draft := _draft(document, pipeline, errors)) is not None]
    drafts = _unique(drafts, errors)
    return RuleSet(tuple(linked(drafts, errors)), tuple(errors))


def _draft(document: Document, pipeline: ProcessingPipeline | None, errors: list[RuleError]) -> Draft | None:
    from rules import compile as compiling
    from rules.compile_correlation import correlation as compiled_correlation

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
            correlation, base_alerts = compiled_correlation(document, pipeline)
            return Draft(replace(rule, correlation=correlation), document, base_alerts)
        condition, source = compiling.detection(document, pipeline)
        rule = replace(
            rule, condition=condition, logsource=LogSource(**{k: v.lower() if v else None for k, v in source.items()})
        )
        return Draft(rule, document, document.data.get("generate") is True)
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
    digest = hashlib.blake2b(document.text.encode(errors="surrogatepass"), digest_size=12).hexdigest()
    name = _text(document, data.get("name"), "name")
    return Rule(
        id=str(data["id"]).lower() if data.get("id") else name or digest,
        hash=digest,
        text=document.text,
        title=str(data.get("title") or ""),
        path=document.path,
        line=document.line,
        name=name,
        title_vi=_text(document, titles.get("vi"), "govsoc", "title"),
        level=str(data.get("level") or "medium").lower(),
        status=_text(document, data.get("status"), "status"),
        tags=_words(data.get("tags")),
        entity=_text(document, own.get("entity"), "govsoc", "entity"),
        runbook_vi=_text(document, runbook.get("vi"), "govsoc", "runbook", "vi"),
        runbook_en=_text(document, runbook.get("en"), "govsoc", "runbook", "en"),
        description=_text(document, data.get("description"), "description"),
        author=_text(document, data.get("author"), "author"),
        references=_words(data.get("references")),
        falsepositives=_words(data.get("falsepositives")),
    )


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


def _unique(drafts: Iterable[Draft], errors: list[RuleError]) -> list[Draft]:
    kept: dict[str, Draft] = {}
    for draft in drafts:
        first = kept.setdefault(draft.rule.id, draft)
        if first is not draft:
            reason = f"the id {draft.rule.id} is already taken by {first.rule.path}:{first.rule.line}"
            errors.append(draft.document.fault(reason, "id"))
    return list(kept.values())
