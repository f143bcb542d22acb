"""Correlations from pySigma's objects to our own; what pySigma cannot parse (ranges, `absence`) is put around it here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import sigma.exceptions as sx
from sigma import correlations as sg
from sigma.processing.pipeline import ProcessingPipeline

from rules.read.document import Document
from rules.read.fault import FORESEEN, UnsupportedError, fault
from rules.rule import Comparison, Correlation, CorrelationType, Term
from soc.errors import RuleError

ABSENCE = "absence"
MAX_RULES = 50
MAX_NUMBER = 1 << 53  # of a comparison
MAX_TIMESPAN_DAYS = 400
MAX_NAMES = 20  # of fields to group by and to count
MAX_TERMS = 64
_OPERATORS = tuple(op.name.lower() for op in sg.SigmaCorrelationConditionOperator)
_NUMERIC = ("value_sum", "value_avg", "value_percentile", "value_median")
_ORDERED = ("temporal_ordered", ABSENCE)


def correlation(document: Document, pipeline: ProcessingPipeline | None) -> tuple[Correlation, bool]:
    """The correlation, its `rules` still as written, and whether the base rules alert too. Raises an ExceptionGroup of RuleErrors."""
    faults: list[RuleError] = []
    try:
        data, kind, asks = _for_pysigma(document.data)
        rule = sg.SigmaCorrelationRule.from_dict(data, collect_errors=True)
        faults = [_fault(document, error) for error in rule.errors]
        if not faults:
            if pipeline is not None:
                pipeline.apply(rule)
            return _correlation(rule, kind, asks), rule.generate
    except FORESEEN as error:
        faults.append(_fault(document, error))
    raise ExceptionGroup("rule refused", faults)


def _fault(document: Document, error: Exception) -> RuleError:
    keys = ("condition",) if isinstance(error, sx.SigmaCorrelationConditionError) else ()
    return fault(document, error, "correlation", *keys)


def _for_pysigma(data: Mapping[str, object]) -> tuple[dict[str, Any], str | None, list[tuple[Comparison, int | float]]]:
    """A document that pySigma parses, the type where it is ours, and the comparisons of a range (the specification's `gt` with `lte`,
    say), of which pySigma takes one alone."""
    whole = dict(data)
    section = whole.get("correlation")
    if not isinstance(section, dict):
        return whole, None, []
    section = whole["correlation"] = dict(section)
    kind = None
    if section.get("type") == ABSENCE:
        if "condition" in section:
            raise sx.SigmaCorrelationConditionError("absence takes no condition: it asks for no event of a later rule")
        kind, section["type"] = ABSENCE, "temporal_ordered"
    condition = section.get("condition")
    asks: list[tuple[Comparison, int | float]] = []
    if isinstance(condition, dict):
        _check_percentile(condition.get("percentile"))
        given = [op for op in _OPERATORS if op in condition]
        rest = {key: value for key, value in condition.items() if key not in given}
        if len(given) > 1:
            for op in given:
                if isinstance(condition[op], bool):
                    raise sx.SigmaCorrelationConditionError(f"'{op}' needs a number")
                parsed = sg.SigmaCorrelationCondition.from_dict({**rest, op: condition[op]})
                asks.append((cast(Comparison, op), parsed.count))
            section["condition"] = {**rest, given[0]: condition[given[0]]}
    return whole, kind, asks


def _correlation(
    rule: sg.SigmaCorrelationRule, own: str | None, asks: list[tuple[Comparison, int | float]]
) -> Correlation:
    kind = own or rule.type.name.lower()
    condition = rule.condition
    terms: tuple[Term, ...] = ()
    fields: tuple[str, ...] = ()
    percentile = 0
    rules = tuple(reference.reference for reference in rule.rules or ())
    if own == ABSENCE:
        asks = []
    elif isinstance(condition, sg.SigmaExtendedCorrelationCondition):
        rules = rules or tuple(condition.get_referenced_rules())
        terms, asks = _terms(condition, rules), []
    else:
        assert isinstance(condition, sg.SigmaCorrelationCondition)
        asks = asks or [(cast(Comparison, condition.op.name.lower()), condition.count)]
        named = condition.fieldref
        fields = () if named is None else tuple(named) if isinstance(named, list) else (named,)
        percentile = condition.percentile or 0
        _check_condition(kind, fields, condition.percentile)
    _check_rules(kind, rules)
    _check_bounds(rule, asks, fields)
    return Correlation(
        type=cast(CorrelationType, kind),
        rules=tuple(dict.fromkeys(rules)),
        group_by=tuple(rule.group_by or ()),
        timespan_ms=rule.timespan.seconds * 1000,
        asks=tuple(asks),
        counted=fields if kind.startswith("value_") else (),
        aliases={a.alias: {r.reference: name for r, name in a.mapping.items()} for a in rule.aliases},
        percentile=percentile,
        terms=terms,
    )


def _check_percentile(percentile: object) -> None:
    """As it is written: pySigma would make 99 of 99.9."""
    if isinstance(percentile, bool) or (isinstance(percentile, float) and percentile % 1):
        raise sx.SigmaCorrelationConditionError(f"`percentile` is a whole number from 0 to 100, not {percentile}")


def _check_condition(kind: str, fields: tuple[str, ...], percentile: int | None) -> None:
    if kind in _NUMERIC and len(fields) != 1:
        raise sx.SigmaCorrelationConditionError(f"{kind} takes one field, not {len(fields)}")
    if not all(isinstance(name, str) and name for name in fields):
        raise sx.SigmaCorrelationConditionError("field must be the name of a field, or a list of names")
    if kind == "value_percentile" and (percentile is None or not 0 <= percentile <= 100):
        raise sx.SigmaCorrelationConditionError("value_percentile needs a `percentile` from 0 to 100")


def _check_rules(kind: str, rules: tuple[str, ...]) -> None:
    if len(rules) > MAX_RULES:
        raise UnsupportedError(f"a correlation of {len(rules)} rules; at most {MAX_RULES} are allowed")
    if kind in _ORDERED and len(set(rules)) < len(rules):
        raise sx.SigmaCorrelationRuleError(f"{kind} cannot name a rule twice: count its events by event_count")
    if kind == ABSENCE and len(rules) < 2:
        raise sx.SigmaCorrelationRuleError("absence needs two rules or more: the first, and what has to follow it")


def _check_bounds(
    rule: sg.SigmaCorrelationRule, asks: list[tuple[Comparison, int | float]], fields: tuple[str, ...]
) -> None:
    for op, count in asks:
        if not abs(count) <= MAX_NUMBER:
            raise sx.SigmaCorrelationConditionError(f"'{op}' takes numbers up to {MAX_NUMBER}")
    if rule.timespan.seconds > MAX_TIMESPAN_DAYS * 86_400:
        raise UnsupportedError(f"a timespan of more than {MAX_TIMESPAN_DAYS} days")
    if (names := len(rule.group_by or ()) + len(fields)) > MAX_NAMES:
        raise UnsupportedError(f"{names} fields to group by and to count; at most {MAX_NAMES} are allowed")


def _terms(condition: sg.SigmaExtendedCorrelationCondition, rules: tuple[str, ...]) -> tuple[Term, ...]:
    """The condition as alternatives, each without contradiction, rules in the order of the correlation."""
    kept = [(needs, lacks) for needs, lacks in _either(condition.parsed, negated=False) if not needs & lacks]
    if not kept:
        raise sx.SigmaCorrelationConditionError("the condition contradicts itself")
    # A window holds an event of one of the rules at least: that of the hit.
    kept = [(needs, lacks) for needs, lacks in kept if not lacks.issuperset(rules)]
    if not kept:
        raise sx.SigmaCorrelationConditionError(
            "the condition can never hold: it asks for none of the rules, and only their events are looked at; "
            "for an event that another does not follow there is `absence`"
        )
    return tuple(
        dict.fromkeys(
            (tuple(name for name in rules if name in needs), tuple(name for name in rules if name in lacks))
            for needs, lacks in kept
        )
    )


_Parts = list[tuple[frozenset[str], frozenset[str]]]


def _either(node: object, *, negated: bool) -> _Parts:
    """Disjunctive normal form, by pushing `not` inwards."""
    if isinstance(node, sg.SigmaRuleReference):
        one, none = frozenset({node.reference}), frozenset[str]()
        return [(none, one)] if negated else [(one, none)]
    assert isinstance(node, sg.CorrelationConditionItem)
    if isinstance(node, sg.CorrelationConditionNOT):
        return _either(node.args[0], negated=not negated)
    parts = (_either(arg, negated=negated) for arg in node.args)
    if isinstance(node, sg.CorrelationConditionOR) is not negated:
        return _bounded([term for part in parts for term in part])
    return _product(parts)


def _product(parts: Iterable[_Parts]) -> _Parts:
    whole: _Parts = [(frozenset(), frozenset())]
    for part in parts:
        whole = _bounded([(a | c, b | d) for a, b in whole for c, d in part])
    return whole


def _bounded(terms: _Parts) -> _Parts:
    terms = list(dict.fromkeys(terms))
    if len(terms) > MAX_TERMS:
        raise UnsupportedError(f"a condition of more than {MAX_TERMS} alternatives")
    return terms
