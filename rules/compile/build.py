"""One rule file to a Compiled: the slow way, through YAML and pySigma. Imported only when something must be compiled."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rules.compile import detection as compiling
from rules.compile.correlation import correlation as compiled_correlation
from rules.compile.draft import Compiled, Draft, Fault, Filter
from rules.compile.expression import Expressions
from rules.condition import Condition
from rules.read import describe
from rules.read.collection import expanded
from rules.read.document import Document, documents, text_of
from rules.rule import Correlation, Place
from soc.errors import RuleError
from soc.model.rule import LogSource

if TYPE_CHECKING:
    from sigma.processing.pipeline import ProcessingPipeline


class Builder:
    """For the rules that go through one pipeline. Builds one file at a time."""

    def __init__(self, pipeline: ProcessingPipeline | None) -> None:
        self._pipeline = pipeline
        self._expressions = Expressions()

    def build(self, content: bytes) -> Compiled:
        """Never raises for what is in the file."""
        self._expressions = Expressions()
        errors: list[RuleError] = []
        text = text_of(content, "", errors)
        drafts: list[Draft] = []
        filters: list[Filter] = []
        for document in expanded(documents(text, "", errors), errors) if text is not None else ():
            match self._made(document, errors):
                case Draft() as draft:
                    drafts.append(draft)
                case Filter() as narrowing:
                    filters.append(narrowing)
        faults = tuple(Fault(error.reason, error.line, error.column) for error in errors)
        return Compiled(tuple(drafts), tuple(filters), faults)

    def narrowing(self, text: str, logsource: LogSource) -> Condition:
        """The condition of a filter as it applies to rules of this log source, which pipelines may look at.

        Raises an ExceptionGroup of RuleErrors.
        """
        (document,) = documents(text, "", [])
        said = {"product": logsource.product, "category": logsource.category, "service": logsource.service}
        data = {**document.data, "logsource": {name: word for name, word in said.items() if word}}
        return self._compiled(replace(document, data=data), Expressions(), "filter")[0]

    def _compiled(self, document: Document, expressions: Expressions, section: str) -> tuple[Condition, LogSource]:
        return compiling.detection(document, self._pipeline, expressions, section)

    def _made(self, document: Document, errors: list[RuleError]) -> Draft | Filter | None:
        wrong = describe.faults(document)
        errors += (error for some in wrong.values() for error in some)
        # What pySigma says of the rest comes with it: every fault at once.
        data = {key: value for key, value in document.data.items() if key not in wrong}
        bare = replace(document, data={**data, "title": "-"} if "title" in wrong else data)
        if "correlation" in wrong:
            return None
        try:
            made = self._meant(bare)
        except ExceptionGroup as group:
            errors += (error for error in group.exceptions if isinstance(error, RuleError))
        except Exception as error:  # noqa: BLE001 - one rule; whatever pySigma stumbles over must not stop the others
            errors.append(document.fault(f"cannot be understood ({type(error).__name__}: {error})"))
        else:
            return None if wrong else made
        return None

    def _meant(self, document: Document) -> Draft | Filter:
        written = compiling.source_of(document.data.get("logsource"))
        if "filter" in document.data:
            self._compiled(document, self._expressions, "filter")
            return _filter(document, written)
        rule = describe.described(document)
        if "correlation" in document.data:
            correlation, base_alerts = compiled_correlation(document, self._pipeline)
            return Draft(replace(rule, correlation=correlation), written, base_alerts, _places(document, correlation))
        condition, source = self._compiled(document, self._expressions, "detection")
        rule = replace(rule, condition=condition, logsource=source)
        return Draft(rule, written, document.data.get("generate") is True, {"id": document.at("id")})


def _places(document: Document, correlation: Correlation) -> dict[str, Place]:
    places = {name: document.at("correlation", "rules", n) for n, name in enumerate(correlation.rules)}
    return {"id": document.at("id"), "rules": document.at("correlation", "rules"), **places}


def _filter(document: Document, written: LogSource) -> Filter:
    body = document.data["filter"]
    assert isinstance(body, dict)
    named = body.get("rules")
    wanted = "filter.rules must be `any`, or the ids or names of rules"
    if isinstance(named, str):
        named = None if named.lower() == "any" else [named]
    elif named == []:  # as pySigma reads it
        named = None
    elif not isinstance(named, list) or not all(isinstance(one, str) for one in named):
        raise ExceptionGroup("filter refused", [document.fault(wanted, "filter", "rules")])
    if not isinstance(body.get("condition"), str):
        reason = "a filter has exactly one condition"
        raise ExceptionGroup("filter refused", [document.fault(reason, "filter", "condition")])
    rule = describe.described(document)
    return Filter(
        rule.id,
        rule.title,
        document.text,
        document.place,
        written,
        None if named is None else tuple(named),
        {"id": document.at("id"), **{one: document.at("filter", "rules", n) for n, one in enumerate(named or ())}},
    )
