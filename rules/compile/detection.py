"""From pySigma's objects to our own plain ones. It imports pySigma, so it is imported only to compile rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import cast

import sigma.exceptions as sx
from sigma import conditions as sc
from sigma import types as st
from sigma.policy import SigmaPolicy
from sigma.processing.pipeline import ProcessingPipeline
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaLogSource, SigmaRule

from rules.compile.expression import Expressions
from rules.compile.modifiers import any_dash, is_cased, spelt
from rules.condition import All, Any, Check, Condition, Not, Search, anywhere, checks
from rules.predicate import (
    DASHES,
    DatePart,
    Exists,
    HasValue,
    Like,
    Listed,
    Matches,
    Number,
    Predicate,
    SameAs,
    TextPredicate,
    Wild,
    Within,
)
from rules.read.document import Document
from rules.read.fault import FORESEEN, UnsupportedError, fault, in_detection, key_of, strange
from soc.errors import RuleError
from soc.model.rule import LogSource

MAX_CHECKS = 20_000  # in one rule
MAX_NESTED = 100  # levels of a condition


_WILD = {st.SpecialChars.WILDCARD_MULTI: Wild.ANY, st.SpecialChars.WILDCARD_SINGLE: Wild.ONE}
_OPERATORS = {
    st.CompareOperators.LT: "<",
    st.CompareOperators.LTE: "<=",
    st.CompareOperators.GT: ">",
    st.CompareOperators.GTE: ">=",
}


def detection(
    document: Document,
    pipeline: ProcessingPipeline | None,
    expressions: Expressions,
    section: str = "detection",
) -> tuple[Condition, LogSource]:
    """Condition and (pipeline-processed) log source of the searches and the condition in this section of a document, whose file has
    these `expressions`.

    Raises an ExceptionGroup with a RuleError for each fault.
    """
    odd = strange(document, section)
    body = document.data.get(section)
    searches = dict(body) if isinstance(body, dict) and not odd else {"any": {"field": "value"}, "condition": "any"}
    if section == "filter":
        searches.pop("rules", None)
    searches = {name: search if name == "condition" else spelt(search) for name, search in searches.items()}
    faults: list[RuleError] = []
    policy = SigmaPolicy(regex_engine=expressions)
    try:
        rule = SigmaRule.from_dict({**document.data, "detection": searches}, collect_errors=True, policy=policy)
        if not rule.errors and not odd:
            return _compiled(rule, pipeline, expressions)
        faults = [fault(document, error, section) for error in rule.errors if key_of(error) is not None]
        whole: Exception | None = rule.errors[0] if rule.errors else None
    except FORESEEN as error:
        whole = error

    good = {"title": "-", "logsource": {"category": "-"}} if faults else document.data

    def attempt(some: dict[str, object]) -> None:
        _compiled(SigmaRule.from_dict({**good, "detection": some}, policy=policy), pipeline, expressions)

    faults += odd or in_detection(document, searches, attempt, section)
    if not faults and whole is not None:
        faults = [fault(document, whole, section)]
    raise ExceptionGroup("rule refused", faults)


def _compiled(
    rule: SigmaRule, pipeline: ProcessingPipeline | None, expressions: Expressions
) -> tuple[Condition, LogSource]:
    if pipeline is not None:
        pipeline.apply(rule)
    condition = _condition(rule)
    for check in checks(condition):
        if isinstance(check.predicate, Matches):  # it may be a pipeline's, which pySigma would not have asked us about
            expressions.tried(check.predicate.regex)
    return condition, source_of(rule.logsource)


def source_of(logsource: object) -> LogSource:
    """Lower case; what is not text is not said."""
    found = (
        vars(logsource) if isinstance(logsource, SigmaLogSource) else logsource if isinstance(logsource, dict) else {}
    )
    said = {name: found.get(name) for name in ("product", "category", "service")}
    return LogSource(**{name: word.lower() if isinstance(word, str) and word else None for name, word in said.items()})


def _condition(rule: SigmaRule) -> Condition:
    detections = rule.detection
    parsed = [condition.parse(postprocess=False) for condition in detections.parsed_condition]
    parts = tuple(part for tree in parsed if (part := _tree(tree, detections.detections, rule)) is not None)
    if not parts:
        raise UnsupportedError("nothing is left of the condition")
    whole = parts[0] if len(parts) == 1 else Any(parts)
    if _depth(whole) > MAX_NESTED:
        raise UnsupportedError(f"a condition nested deeper than {MAX_NESTED} levels")
    if (count := sum(1 for _ in checks(whole))) > MAX_CHECKS:
        raise UnsupportedError(f"a rule of {count} comparisons; at most {MAX_CHECKS} are allowed")
    return whole


def _depth(tree: Condition) -> int:
    match tree:
        case All(parts) | Any(parts):
            return 1 + max(map(_depth, parts))
        case Not(part) | Search(_, part):
            return 1 + _depth(part)
    return 1


def _tree(node: object, found: Mapping[str, SigmaDetection], rule: SigmaRule) -> Condition | None:
    match node:
        case sc.ConditionIdentifier(identifier=name):
            if name not in found:
                raise sx.SigmaConditionError(f"the condition names '{name}', which detection does not define")
            part = _detection(found[name])
            return None if part is None else Search(name, part)
        case sc.ConditionSelector(cond_class=link):
            named = node.resolve_referenced_detections(rule.detection)
            if not named:
                raise sx.SigmaConditionError(f"'{node.args[0]} of {node.pattern}' fits no search identifier")
            return _link(link, (_tree(one, found, rule) for one in named))
        case sc.ConditionNOT(args=[arg]):
            part = _tree(arg, found, rule)
            return None if part is None else Not(part)
        case sc.ConditionAND(args=args) | sc.ConditionOR(args=args):
            return _link(type(node), (_tree(arg, found, rule) for arg in args))
    raise UnsupportedError(f"condition element {type(node).__name__}")


def _link(link: type[object], parts: Iterable[Condition | None]) -> Condition | None:
    kept = tuple(part for part in parts if part is not None)
    if len(kept) <= 1:
        return kept[0] if kept else None
    return All(kept) if link is sc.ConditionAND else Any(kept)


def _detection(detection: SigmaDetection | SigmaDetectionItem) -> Condition | None:
    if isinstance(detection, SigmaDetectionItem):
        return _item(detection)
    return _link(cast("type[object]", detection.item_linking), map(_detection, detection.detection_items))


def _item(item: SigmaDetectionItem) -> Condition:
    if item.value:
        whole = _link(item.value_linking, (_value(item, value) for value in item.value))
    elif item.field is None:
        raise UnsupportedError("an empty list of keywords")
    else:
        whole = _value(item, st.SigmaNull())
    assert whole is not None
    return Not(whole) if item.negated else whole


_WHOLE = "a list is asked for the whole of a field's value, as in `source.ip|expand: '%name%'`"


def _value(item: SigmaDetectionItem, value: st.SigmaType) -> Condition:
    field = item.field
    match value:
        case st.SigmaExpansion(values=values):
            expanded = _link(sc.ConditionOR, (_value(item, one) for one in values))
            assert expanded is not None
            return expanded
        case st.SigmaNull() if field is not None:
            return Not(Check(field, HasValue()))
        case st.SigmaExists(exists=exists) if field is not None:
            return Check(field, Exists()) if exists else Not(Check(field, Exists()))
        case st.SigmaString(s=(st.Placeholder(name=name),)):
            if field is None:
                raise UnsupportedError(f"the list %{name}% needs a field: {_WHOLE}")
            return Check(field, Listed(name))
        case st.SigmaFieldReference() if field is not None:
            return Check(field, _same_as(value, is_cased(item)))
    predicate = _like(value, any_dash(item)) if isinstance(value, st.SigmaString) else _predicate(value)
    if field is None and isinstance(predicate, Number) and predicate.op != "=":
        raise UnsupportedError("a numeric comparison needs a field")
    return Check(field, predicate if field is not None else anywhere(predicate))


def _like(value: st.SigmaString, any_dash: bool) -> Like:
    parts = list(map(_part, _joined(value.s)))
    if any_dash:
        parts = [one for part in parts for one in (_dashed(part) if isinstance(part, str) else [part])]
    return Like(tuple(parts), isinstance(value, st.SigmaCasedString))


def _dashed(text: str) -> list[str | Wild]:
    return [Wild.DASH if piece in _DASHES else piece for piece in _PIECES.split(text) if piece]


_PIECES = re.compile(f"([{DASHES}])")
_DASHES = frozenset(DASHES)


def _predicate(value: st.SigmaType) -> TextPredicate:
    match value:
        case st.SigmaTimestampPart(timestamp_part=unit, number=number):
            return DatePart(unit.name.lower(), int(number))
        case st.SigmaNumber(number=number):
            return Number("=", number)
        case st.SigmaBool(boolean=boolean):
            return Like(("true" if boolean else "false",))
        case st.SigmaRegularExpression():
            return _regex(value)
        case st.SigmaCIDRExpression(network=network):
            return Within(network)
        case st.SigmaCompareExpression(op=op, number=st.SigmaTimestampPart(timestamp_part=unit, number=number)) if (
            op in _OPERATORS
        ):
            return DatePart(unit.name.lower(), int(number), _OPERATORS[op])
        case st.SigmaCompareExpression(op=op, number=st.SigmaNumber(number=number)) if op in _OPERATORS:
            return Number(_OPERATORS[op], number)
    raise UnsupportedError(f"a value of type {type(value).__name__} here")


def _joined(parts: Iterable[object]) -> Iterable[object]:
    """Neighbouring texts as one, empty ones left out."""
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
            continue
        if text:
            yield text
        text = ""
        yield part
    if text:
        yield text


def _part(part: object) -> str | Wild:
    if isinstance(part, str):
        return part
    if isinstance(part, st.SpecialChars):
        return _WILD[part]
    name = part.name if isinstance(part, st.Placeholder) else part
    raise UnsupportedError(
        f"the placeholder %{name}% as a part of a value has no values: give a processing pipeline that replaces it ({_WHOLE})"
    )


def _regex(value: st.SigmaRegularExpression) -> Matches:
    if value.contains_placeholder():
        raise UnsupportedError(
            "a placeholder in a regular expression has no values: give a processing pipeline that replaces it"
        )
    text = str(value.regexp)
    flags = "".join(sorted(value.sigma_to_re_flag[flag] for flag in value.flags))
    return Matches(f"(?{flags}){text}" if flags else text)


def _same_as(value: st.SigmaFieldReference, cased: bool) -> Predicate:
    how = {(True, True): "contains", (True, False): "startswith", (False, True): "endswith"}
    return SameAs(value.field, how.get((value.starts_with, value.ends_with), "equals"), cased)
