"""Placeholders (`%name%` with `expand`) that no pipeline replaced: their values come from lists that somebody keeps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, product
from math import prod
from typing import cast

from sigma import types as st
from sigma.rule import SigmaDetection, SigmaDetectionItem

from rules.draft import Lists

MAX_VALUES = 10_000  # that one value with placeholders may become


def fill(detections: Mapping[str, SigmaDetection], lists: Lists) -> None:
    """Put the values in place of the placeholders; those without a list stay. Raises ValueError when it would be too many."""
    for item in _items(detections.values()):
        if any(map(_open, item.value)):
            item.value = [_filled(value, lists) for value in item.value]


def _items(detections: Iterable[SigmaDetection | SigmaDetectionItem]) -> Iterator[SigmaDetectionItem]:
    for one in detections:
        if isinstance(one, SigmaDetectionItem):
            yield one
        else:
            yield from _items(one.detection_items)


def _open(value: st.SigmaType) -> bool:
    if isinstance(value, st.SigmaExpansion):
        return any(map(_open, value.values))
    return isinstance(value, st.SigmaString) and value.contains_placeholder()


def _filled(value: st.SigmaType, lists: Lists) -> st.SigmaType:
    if isinstance(value, st.SigmaExpansion):
        return st.SigmaExpansion([_filled(one, lists) for one in value.values])
    if not isinstance(value, st.SigmaString) or not _open(value):
        return value
    choices: list[Sequence[object]] = [
        found if isinstance(part, st.Placeholder) and (found := lists(part.name)) is not None else [part]
        for part in value.s
    ]
    if (count := prod(map(len, choices))) > MAX_VALUES:
        raise ValueError(f"placeholders that stand for {count} values; at most {MAX_VALUES} are allowed")
    return st.SigmaExpansion([_of(value, parts) for parts in islice(product(*choices), MAX_VALUES)])


def _of(value: st.SigmaString, parts: Iterable[object]) -> st.SigmaString:
    filled = type(value)()
    filled.s = cast("list[str | st.SpecialChars | st.Placeholder]", list(parts))
    return filled
