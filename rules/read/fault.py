"""Faults of a rule: what pySigma or we stumbled over, said for people, at the line and column where it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from math import isfinite

import sigma.exceptions as sx
from sigma.modifiers import reverse_modifier_mapping

from rules.read.document import Document
from soc.errors import NOT_SUPPORTED, RuleError

MAX_FAULTS = 50  # of one rule
MAX_DIGITS = 40  # of a number; no value of an event is read as a longer one

# What pySigma raises for what it does not expect, beside its own errors (which are ValueErrors).
FORESEEN = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)

# Where in the document an error of pySigma belongs. Its others belong to the detection.
_KEY_OF_ERROR: dict[type[Exception], str] = {
    sx.SigmaLogsourceError: "logsource",
    sx.SigmaLevelError: "level",
    sx.SigmaStatusError: "status",
    sx.SigmaTagError: "tags",
    sx.SigmaIdentifierError: "id",
    sx.SigmaTitleError: "title",
    sx.SigmaDateError: "date",
    sx.SigmaNameError: "name",
    sx.SigmaTaxonomyError: "taxonomy",
    sx.SigmaReferencesError: "references",
    sx.SigmaRelatedError: "related",
    sx.SigmaFieldsError: "fields",
    sx.SigmaFalsePositivesError: "falsepositives",
    sx.SigmaAuthorError: "author",
    sx.SigmaDescriptionError: "description",
    sx.SigmaScopeError: "scope",
    sx.SigmaLicenseError: "license",
}
_NAMES_KEY = re.compile(r"(?:Sigma rule|Rule) (name|taxonomy|modified)\b")

_MISFIT = re.compile(r"Modifier (\w+) incompatible to value type of '(.*)'")

_BYTES = re.compile(r"b['\"](.*)['\"]$")

Keys = tuple[str | int, ...]
Attempt = Callable[[dict[str, object]], None]


class UnsupportedError(ValueError):
    """Something that Sigma allows and this engine cannot do, or not yet."""


def key_of(error: Exception) -> str | None:
    """The key of the document that the error is about; None: it is what the rule looks for."""
    for kind, key in _KEY_OF_ERROR.items():
        if isinstance(error, kind):
            return key
    if isinstance(error, sx.SigmaTypeError | sx.SigmaModifiedError) and (named := _NAMES_KEY.match(str(error))):
        return named[1]
    return None


def fault(document: Document, error: Exception, *keys: str | int) -> RuleError:
    """The error at the key that it names by itself, else at `keys`."""
    reason = " ".join(str(error).split()) or type(error).__name__
    if misfit := _MISFIT.match(reason):
        value = "null" if "SigmaNull" in misfit[2] else misfit[2]
        reason = (
            f"the modifier {reverse_modifier_mapping.get(misfit[1], misfit[1])} is incompatible with the value {value}"
        )
    if isinstance(error, sx.SigmaRegularExpressionError):
        reason = _BYTES.sub(r"\1", reason) + " (expressions run on RE2: no lookaround, no backreferences)"
    elif isinstance(error, UnsupportedError):
        reason = f"{NOT_SUPPORTED}{reason}"
    elif isinstance(error, RecursionError):
        reason = "nested too deeply"
    elif isinstance(error, TypeError | AttributeError | LookupError):  # pySigma counts on types that YAML need not give
        reason = "a value of a type that cannot stand here"
    key = key_of(error)
    return document.fault(reason, *(keys if key is None else (key,)))


def strange(document: Document, section: str) -> list[RuleError]:
    """What YAML can say and Sigma cannot: pySigma would stumble over it, and not say where."""
    body = document.data.get(section)
    if not isinstance(body, dict):
        reason = (
            f"{section} must be a mapping of searches, with a condition"
            if section in document.data
            else f"{section} is missing"
        )
        return [document.fault(reason, section)]
    return [document.fault(reason, *keys) for reason, keys in _strange(body, (section,))][:MAX_FAULTS]


def _conditions(section: str, body: Mapping[str, object]) -> list[tuple[Keys, object]]:
    """Each condition, and where it stands."""
    condition = body.get("condition")
    if isinstance(condition, list):
        return [((section, "condition", index), one) for index, one in enumerate(condition)]
    return [((section, "condition"), condition)]


def _strange(value: object, keys: Keys) -> Iterator[tuple[str, Keys]]:
    if isinstance(value, dict):
        for key, below in value.items():
            if isinstance(key, str):
                yield from _strange(below, (*keys, key))
            else:
                yield f"the key {key!r} is not text: put it in quotes", (*keys, str(key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _strange(below, (*keys, index))
    elif isinstance(value, date):
        yield "YAML reads this as a date, and Sigma has none: put it in quotes", keys
    elif isinstance(value, int) and abs(value) >= 10**MAX_DIGITS:
        yield f"a number of more than {MAX_DIGITS} digits: put it in quotes", keys
    elif isinstance(value, float) and not isfinite(value):
        yield "not a number that could be compared: put it in quotes if it is text", keys
    elif value is not None and not isinstance(value, str | int | float):
        yield f"a value of the type {type(value).__name__} is unsupported", keys


def in_detection(document: Document, body: Mapping[str, object], attempt: Attempt, section: str) -> list[RuleError]:
    """Each part of the detection that fails alone: pySigma gives its first error only, and does not say where.

    `attempt(searches)` compiles these searches with their condition and raises what is wrong with them.
    """
    faults: list[RuleError] = []
    for name, search in body.items():
        if name != "condition" and len(faults) < MAX_FAULTS:
            _collect(document, list(_items(search, (section, name))), attempt, faults)
    good = {name: {"field": "value"} for name in body if name != "condition"}
    for keys, condition in _conditions(section, body) if good else ():
        if not isinstance(condition, str):
            faults.append(
                document.fault("the condition must be text" if condition else "a condition is missing", *keys)
            )
            continue
        try:
            attempt({**good, "condition": condition})
        except FORESEEN as error:
            faults.append(fault(document, error, *keys))
    return faults[:MAX_FAULTS]


def _items(search: object, keys: Keys) -> Iterator[tuple[Keys, object]]:
    """The parts of a search that mean something alone, and where they stand."""
    if isinstance(search, dict) and search:
        for key, value in search.items():
            yield (*keys, key), {key: value}
    elif isinstance(search, list) and any(isinstance(one, dict | list) for one in search):
        for index, one in enumerate(search):
            yield from _items(one, (*keys, index))
    else:
        yield keys, search


def _collect(
    document: Document, items: Sequence[tuple[Keys, object]], attempt: Attempt, faults: list[RuleError]
) -> None:
    """Halving: most of many are good."""
    if not items or len(faults) >= MAX_FAULTS:
        return
    try:
        attempt({**{f"item{n}": item for n, (_, item) in enumerate(items)}, "condition": "1 of item*"})
    except FORESEEN as error:
        if len(items) > 1:
            half = len(items) // 2
            _collect(document, items[:half], attempt, faults)
            _collect(document, items[half:], attempt, faults)
            return
        ((keys, item),) = items
        before = len(faults)
        _collect(document, list(_values(item, keys)), attempt, faults)
        if len(faults) == before:
            faults.append(fault(document, error, *keys))


def _values(item: object, keys: Keys) -> Iterator[tuple[Keys, object]]:
    """The values of a list one by one."""
    if isinstance(item, dict) and len(item) == 1:
        ((key, value),) = item.items()
        for index, one in enumerate(value if isinstance(value, list) and len(value) > 1 else ()):
            yield (*keys, index), {key: one}
    elif isinstance(item, list) and len(item) > 1:
        for index, one in enumerate(item):
            yield (*keys, index), one
