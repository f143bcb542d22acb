"""YAML that nobody of ours wrote, looked at before anything is built from it: what builds it follows its nesting on the stack of C, where
a text that is deep enough ends the process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import yaml


def events(text: str, deepest: int) -> Iterator[yaml.Event]:
    """What the text consists of, in order. Raises `yaml.YAMLError`, also where lists and mappings are nested deeper than that."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > deepest:
            mark = cast("yaml.Mark", event.start_mark)
            raise yaml.MarkedYAMLError(problem=f"nested deeper than {deepest} levels", problem_mark=mark)
        yield event
