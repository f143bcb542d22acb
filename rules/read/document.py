"""YAML documents of rule files, read with limits, and where in the file each key stands."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import yaml

from rules.read.file import read
from rules.rule import Place
from soc.errors import RuleError
from soc.nesting import events

MAX_DEPTH = 40
MAX_ALIASES = 200
MAX_NODES = 100_000  # of one document, with all that its aliases and merge keys repeat
MAX_REASON = 400  # characters; pySigma repeats what it refuses
MAX_SCALAR = 16_384  # characters of one text, and so of one regular expression

_START = re.compile(r"^---(?=\s|\Z)", re.MULTILINE)  # YAML ends a document there, even inside a block of text
_PREAMBLE = re.compile(r"(?:(?:[%#].*|[ \t\ufeff]*)\n)*")  # directives and comments before the first `---`


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: its data, its text as written, and where it starts in `path`.

    `nodes`: what its keys are looked up in, each with the line of the file that its own first line is (from 0); several when
    the document was merged from several, its own first.
    """

    path: str
    place: Place
    text: str
    data: dict[str, object]
    nodes: tuple[tuple[yaml.Node, int], ...] = field(repr=False)

    @property
    def line(self) -> int:
        return self.place[0]

    def fault(self, reason: str, *keys: str | int) -> RuleError:
        """An error at the key (in a list: the index) that `keys` lead to, or at the deepest of them that exists."""
        return RuleError(shortened(reason), self.path, *self.at(*keys))

    def at(self, *keys: str | int) -> Place:
        found = [(*_follow(node, keys), above) for node, above in self.nodes]
        depth, mark, above = max(found, key=lambda known: known[0])
        return _place(mark, above) if depth else self.place


def shortened(reason: str) -> str:
    return reason if len(reason) <= MAX_REASON else f"{reason[:MAX_REASON]}..."


def _follow(node: yaml.Node, keys: tuple[str | int, ...]) -> tuple[int, yaml.Mark]:
    """How many of the keys lead somewhere, and where that is."""
    mark = node.start_mark
    for depth, key in enumerate(keys):
        if isinstance(key, int):
            if not isinstance(node, yaml.SequenceNode) or key >= len(node.value):
                return depth, mark
            node = node.value[key]
            mark = node.start_mark
            continue
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        pair = next(((k, v) for k, v in pairs if k.value == key), None)
        if pair is None:
            return depth, mark
        mark, node = pair[0].start_mark, pair[1]
    return len(keys), mark


def _place(mark: yaml.Mark, above: int) -> Place:
    return (above + mark.line + 1, mark.column + 1)


class _Loader(yaml.CSafeLoader):
    """Plain YAML, but the same key twice in one mapping is an error instead of a silent overwrite."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
        try:
            return super().construct_object(node, deep)
        except (ValueError, ArithmeticError, LookupError, AttributeError, TypeError) as error:
            # A date that does not exist, a number of thousands of digits, `!!int x`.
            reason = str(error).partition(":")[0] if isinstance(error, ValueError) else f"not of the type {node.tag}"
            raise yaml.MarkedYAMLError(problem=f"{reason}: put it in quotes", problem_mark=node.start_mark) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen and key.value != "<<":
                    raise yaml.MarkedYAMLError(
                        problem=f"the key {key.value!r} is there twice", problem_mark=key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_list(path: Path, errors: list[RuleError]) -> list[tuple[object, int]]:
    """The items of a file that holds one YAML list, each with its line (from 1)."""
    content = read(path, errors)
    text = None if content is None else text_of(content, str(path), errors)
    if text is None:
        return []
    try:
        _check_shape(text)
        loader = _Loader(text)
        node = loader.get_single_node()
        if not isinstance(node, yaml.SequenceNode):
            errors.append(RuleError("must be a list", path, 1))
            return []
        _check_size(node)
        return [(loader.construct_document(item), item.start_mark.line + 1) for item in node.value]
    except yaml.YAMLError as error:
        errors.append(_explain(error, str(path), text))
        return []


def text_of(content: bytes, path: str, errors: list[RuleError]) -> str | None:
    """UTF-8, with or without a byte order mark, whatever ends its lines."""
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        reason = f"is not UTF-8 text (byte 0x{content[error.start]:02x}): save it as UTF-8"
        errors.append(RuleError(reason, path, *_spot(content.decode("latin-1"), error.start)))
        return None


def documents(text: str, path: str, errors: list[RuleError]) -> Iterator[Document]:
    """The documents of a text, empty ones left out. One that is not valid YAML does not stop those after it."""
    starts = [0, *(match.start() for match in _START.finditer(text))]
    if len(starts) > 1 and _PREAMBLE.fullmatch(text, 0, starts[1]):
        del starts[1]
    above = 0
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        part = text[start:end]
        yield from _of_part(part, above, path, errors)
        above += part.count("\n")


def _of_part(text: str, above: int, path: str, errors: list[RuleError]) -> Iterator[Document]:
    """Of a text between two `---`: one document, or several that other marks divide."""
    lines = text.splitlines()
    try:
        _check_shape(text)
        loader = _Loader(text)
        while loader.check_node():
            node = loader.get_node()
            assert node is not None
            _check_size(node)
            data = loader.construct_document(node)
            if data is None:
                continue
            start = node.start_mark.line
            if not isinstance(data, dict) or not isinstance(node, yaml.MappingNode):
                place = _place(node.start_mark, above)
                errors.append(RuleError("a rule is a mapping of keys to values", path, *place))
                continue
            source = "\n".join(line.rstrip() for line in lines[start : max(node.end_mark.line, start + 1)]).strip()
            named = {str(key): value for key, value in data.items()}
            yield Document(path, (above + start + 1, 1), source, named, ((node, above),))
    except yaml.YAMLError as error:
        errors.append(_explain(error, path, text, above))


def _check_shape(text: str) -> None:
    """Refuse deep nesting and alias bombs while they are still a stream of events, before anything is built from them."""
    aliases = 0
    for event in events(text, MAX_DEPTH):
        aliases += isinstance(event, yaml.AliasEvent)
        problem = None
        if aliases > MAX_ALIASES:
            problem = f"more than {MAX_ALIASES} aliases"
        elif isinstance(event, yaml.ScalarEvent) and len(event.value) > MAX_SCALAR:
            problem = f"a text of {len(event.value)} characters; at most {MAX_SCALAR} are allowed"
        if problem is not None:
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=cast("yaml.Mark", event.start_mark))


def _check_size(root: yaml.Node) -> None:
    """Refuse what refers to itself, or grows beyond measure once its aliases are followed: each reader after us follows them."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: yaml.Node) -> int:
        known = sizes.get(id(node))
        if known is not None:
            return known
        if not isinstance(node, yaml.CollectionNode):
            return 1
        if id(node) in open_nodes:
            raise yaml.MarkedYAMLError(problem="it contains itself", problem_mark=node.start_mark)
        open_nodes.add(id(node))
        below = node.value if isinstance(node, yaml.SequenceNode) else [n for pair in node.value for n in pair]
        total = 1 + sum(map(size, below))
        if total > MAX_NODES:
            raise yaml.MarkedYAMLError(
                problem=f"more than {MAX_NODES} values, aliases followed", problem_mark=node.start_mark
            )
        open_nodes.discard(id(node))
        sizes[id(node)] = total
        return total

    size(root)


def _explain(error: yaml.YAMLError, path: str, text: str, above: int = 0) -> RuleError:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        reason = f"not valid YAML: {error.problem or error.context}"
        if mark is None:
            return RuleError(shortened(reason), path, above + 1)
        lines = text.split("\n")
        if mark.line < len(lines) and lines[mark.line].startswith("\t", mark.column):
            reason += ": YAML indents with spaces, not with tabs"
        return RuleError(shortened(reason), path, *_place(mark, above))
    reason = "not valid YAML: " + " ".join(str(getattr(error, "reason", error)).split())
    at = getattr(error, "position", 0)  # in bytes, of what no YAML text may hold, such as NUL
    line, column = _spot(text, len(text.encode()[:at].decode(errors="ignore")))
    return RuleError(shortened(reason), path, above + line, column)


def _spot(text: str, at: int) -> Place:
    """Where the character at this index (from 0) stands."""
    return (text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))
