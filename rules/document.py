"""YAML documents of rule files, read with limits, and where in the file each key stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import yaml

from soc.errors import RuleError

MAX_FILE_BYTES = 1 << 20
MAX_DEPTH = 40
MAX_ALIASES = 200
MAX_REASON = 400  # characters; pySigma repeats what it refuses
MAX_SCALAR = 16_384  # characters of one text, and so of one regular expression


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: its data, its text as written, and the line (from 1) on which it starts in `path`."""

    path: str
    line: int
    text: str
    data: dict[str, object]
    node: yaml.MappingNode = field(repr=False)

    def fault(self, reason: str, *keys: str) -> RuleError:
        """An error at the key that `keys` lead to, or at the deepest of them that exists."""
        shown = reason if len(reason) <= MAX_REASON else f"{reason[:MAX_REASON]}..."
        return RuleError(shown, self.path, self.line_of(*keys))

    def line_of(self, *keys: str) -> int:
        line, node = self.line, cast(yaml.Node, self.node)
        for key in keys:
            maps = node.value if isinstance(node, yaml.SequenceNode) else [node]
            pairs = [pair for m in maps if isinstance(m, yaml.MappingNode) for pair in m.value]
            found = next(((k, v) for k, v in pairs if k.value == key), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        return line


class _Loader(yaml.CSafeLoader):
    """Plain YAML, but the same key twice in one mapping is an error instead of a silent overwrite."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen and key.value != "<<":
                    raise yaml.MarkedYAMLError(
                        problem=f"the key {key.value!r} is there twice", problem_mark=key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def read(path: Path, errors: list[RuleError]) -> list[Document]:
    """The documents of a file. What cannot be read is added to `errors`; never raises for the content of a file."""
    text = _content(path, errors)
    return [] if text is None else list(documents(text, str(path), errors))


def read_list(path: Path, errors: list[RuleError]) -> list[tuple[object, int]]:
    """The items of a file that holds one YAML list, each with its line (from 1)."""
    text = _content(path, errors)
    if text is None:
        return []
    try:
        _check_shape(text)
        loader = _Loader(text)
        node = loader.get_single_node()
        if not isinstance(node, yaml.SequenceNode):
            errors.append(RuleError("must be a list", path, 1))
            return []
        return [(loader.construct_document(item), item.start_mark.line + 1) for item in node.value]
    except (yaml.YAMLError, ValueError, TypeError) as error:
        errors.append(_explain(error, str(path)))
        return []


def _content(path: Path, errors: list[RuleError]) -> str | None:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            errors.append(RuleError(f"the file is larger than {MAX_FILE_BYTES} bytes: split it", path))
            return None
        return path.read_text(encoding="utf-8")
    except OSError as error:
        errors.append(RuleError(f"cannot be read: {error.strerror or error}", path))
    except UnicodeDecodeError as error:
        errors.append(RuleError(f"is not UTF-8 text (byte {error.start})", path))
    return None


def documents(text: str, path: str, errors: list[RuleError]) -> Iterator[Document]:
    """The documents of a text, empty ones left out."""
    lines = text.splitlines()
    try:
        _check_shape(text)
        loader = _Loader(text)
        while loader.check_node():
            node = loader.get_node()
            assert node is not None
            start = node.start_mark.line
            try:
                data = loader.construct_document(node)
            except (yaml.YAMLError, ValueError, TypeError) as error:
                errors.append(_explain(error, path, start + 1))
                continue
            if data is None:
                continue
            if not isinstance(data, dict) or not isinstance(node, yaml.MappingNode):
                errors.append(RuleError("a rule is a mapping of keys to values", path, start + 1))
                continue
            source = "\n".join(line.rstrip() for line in lines[start : max(node.end_mark.line, start + 1)]).strip()
            yield Document(path, start + 1, source, {str(key): value for key, value in data.items()}, node)
    except yaml.YAMLError as error:
        errors.append(_explain(error, path))


def _check_shape(text: str) -> None:
    """Refuse deep nesting and alias bombs while they are still a stream of events, before anything is built from them."""
    depth = aliases = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            aliases += 1
        problem = None
        if depth > MAX_DEPTH:
            problem = f"nested deeper than {MAX_DEPTH} levels"
        elif aliases > MAX_ALIASES:
            problem = f"more than {MAX_ALIASES} aliases"
        elif isinstance(event, yaml.ScalarEvent) and len(event.value) > MAX_SCALAR:
            problem = f"a text of {len(event.value)} characters; at most {MAX_SCALAR} are allowed"
        if problem is not None:
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=cast("yaml.Mark", event.start_mark))


def _explain(error: Exception, path: str, line: int | None = None) -> RuleError:
    if isinstance(error, yaml.MarkedYAMLError):
        if error.problem_mark is not None:
            line = error.problem_mark.line + 1
        return RuleError(f"not valid YAML: {error.problem or error.context}", path, line)
    return RuleError(f"not valid YAML: {' '.join(str(error).split())}", path, line)
