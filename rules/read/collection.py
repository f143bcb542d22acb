"""Collections of rules in one file: `action: global`, `reset` and `repeat`, as sigmac knew them and pySigma still reads them.

    action: global   the keys of this document go into each rule that follows, over the rule's own
    action: reset    no longer
    action: repeat   the rule before once more, with the keys of this document over its own

A rule that was merged has the merged document as its text, so that it means the same by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import yaml

from rules.read.document import Document
from soc.errors import RuleError


def expanded(documents: Iterable[Document], errors: list[RuleError]) -> Iterator[Document]:
    """The documents that are rules, correlations or filters, each complete."""
    found = list(documents)  # what is not valid YAML is in `errors` now
    unsure = bool(errors) and any("action" in document.data for document in found)
    shared: Document | None = None
    before: Document | None = None
    for document in found:
        action = document.data.get("action")
        if action is None:
            if "correlation" not in document.data and "filter" not in document.data:
                before = document = _over(document, shared) if shared is not None else document
            if unsure:
                errors.append(
                    document.fault("another document of this file cannot be read: it may belong to this rule")
                )
            else:
                yield document
        elif action == "global":
            shared = before = document
        elif action == "reset":
            shared = None
        elif action == "repeat" and before is not None and not unsure:
            before = _over(before, document, document)
            yield before
        elif not unsure:
            known = (
                "nothing stands before it to be repeated"
                if action == "repeat"
                else "global, reset and repeat are known"
            )
            errors.append(document.fault(f"action {action!r}: {known}", "action"))


def _over(base: Document, top: Document, at: Document | None = None) -> Document:
    """`base` with the keys of `top` over its own; it stands where `base` does, or `at`."""
    data = {str(key): value for key, value in _merged(base.data, top.data).items() if key != "action"}
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=1000).strip()
    nodes = (*at.nodes, *base.nodes) if at is not None else (*base.nodes, *top.nodes)
    return replace(base, data=data, text=text, nodes=nodes, place=at.place if at is not None else base.place)


def _merged(base: Mapping[Any, Any], top: Mapping[Any, Any]) -> dict[Any, Any]:
    merged = dict(base)
    for key, value in top.items():
        below = base.get(key)
        merged[key] = _merged(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return merged
