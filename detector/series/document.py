"""YAML of definitions, read with limits: each document as a model, with its line, and what is wrong with the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast, get_args

import yaml
from pydantic import BaseModel, ValidationError

from soc.errors import RuleError
from soc.nesting import events

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MAX_FILE_BYTES = 256 << 10
MAX_DEPTH = 16

BY_HAND = "by hand"  # the context in which models are made here: of what somebody has written
_LIST = "has to be a list: [a, b]"
_MAPPING = "has to be written {form}"
_TEXT = "has to be a text"
_WHOLE = "has to be a whole number"
_NUMBER = "has to be a number"
_YES_OR_NO = "has to be true or false"
_WORDS = {
    **dict.fromkeys(("tuple_type", "list_type"), _LIST),
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), _MAPPING),
    "string_type": _TEXT,
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), _WHOLE),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), _NUMBER),
    **dict.fromkeys(("bool_type", "bool_parsing"), _YES_OR_NO),
    "too_long": "has more than {max_length} in its list",
    "too_short": "needs {min_length} or more in its list",
    "string_too_long": "has more than {max_length} letters",
    "string_too_short": "has fewer letters than {min_length}",
    "string_pattern_mismatch": "has to be spelled as {pattern}",
}

Some = TypeVar("Some", bound=BaseModel)


def read(model: type[Some], path: Path, faults: list[RuleError]) -> Iterator[tuple[Some, int]]:
    if path.exists() and not path.is_file():  # a pipe in a folder would be waited for for ever
        faults.append(RuleError("is no regular file, and is not read", path))
        return
    text = text_of(path, faults)
    if text is not None:
        yield from parsed(model, text, path, faults)


def text_of(path: Path, faults: list[RuleError]) -> str | None:
    """None of what cannot be read: why is a fault."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise RuleError(f"is larger than {MAX_FILE_BYTES >> 10} KiB", path)
        return content.decode("utf-8-sig")
    except OSError as error:
        faults.append(RuleError(f"cannot be read: {error.strerror}", path))
    except UnicodeDecodeError:
        faults.append(RuleError("is not UTF-8 text: save it as UTF-8", path))
    except RuleError as error:
        faults.append(error)
    return None


def parsed(model: type[Some], text: str, path: Path, faults: list[RuleError]) -> Iterator[tuple[Some, int]]:
    try:
        for event in events(text, MAX_DEPTH):
            at = cast("yaml.Mark", event.start_mark)
            if isinstance(event, yaml.AliasEvent):
                raise yaml.MarkedYAMLError(problem="aliases (`*name`) are not used here", problem_mark=at)
            if getattr(event, "tag", None) is not None:  # what a value is its field says; some even break the reader
                raise yaml.MarkedYAMLError(problem="tags (`!name`) are not used here", problem_mark=at)
        nodes = list(yaml.compose_all(text, Loader=yaml.CSafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        faults.append(RuleError(f"is not valid YAML: {error.problem}", path, mark.line + 1 if mark else None))
    except (yaml.YAMLError, RecursionError) as error:
        faults.append(RuleError(f"is not valid YAML: {error}", path))
    else:
        for node in nodes:
            if node is not None:
                yield from _of(model, node, path, faults)


def _of(model: type[Some], node: yaml.Node, path: Path, faults: list[RuleError]) -> Iterator[tuple[Some, int]]:
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.MappingNode):
        faults.append(RuleError("a definition is a mapping of fields to values", path, line))
        return
    twice = _twice(node)
    if twice is not None:
        faults.append(RuleError(f"{twice.value}: is there twice", path, twice.start_mark.line + 1))
        return
    try:
        data = yaml.CSafeLoader("").construct_document(node)
        yield model.model_validate({**data, "path": str(path)}, context=BY_HAND), line
    except ValidationError as error:
        for fault in error.errors():
            names = [part for part in fault["loc"] if isinstance(part, str)]
            said = _said(model, names, fault)
            where = _line(node, names)
            faults.append(RuleError(f"{'.'.join(map(str, fault['loc']))}: {said}".removeprefix(": "), path, where))
    except (yaml.YAMLError, ValueError, TypeError) as error:
        faults.append(RuleError(f"has a value that cannot be read: {error}", path, line))


def _said(model: type[BaseModel], names: list[str], fault: ErrorDetails) -> str:
    """What is wrong, in words of YAML: who writes it need not know what a tuple is, or how our classes are called."""
    kind = fault["type"]
    template = _WORDS.get(f"string_{kind}" if isinstance(fault["input"], str) and kind.startswith("too_") else kind)
    if template is None:
        return fault["msg"].removeprefix("Value error, ")
    return template.format(**{"form": _form(model, names), **fault.get("ctx", {})})


def _form(model: type[BaseModel], names: list[str]) -> str:
    """How a mapping in this place is written: `{vi: ..., en: ...}`."""
    inner: type[BaseModel] | None = model
    for name in names:
        known = inner.model_fields.get(name) if inner else None
        kinds = (known.annotation, *get_args(known.annotation)) if known else ()  # of what may be left out as well
        inner = next((one for one in kinds if isinstance(one, type) and issubclass(one, BaseModel)), None)
    return "{" + ", ".join(f"{name}: ..." for name in (inner.model_fields if inner else ())) + "}"


def _twice(node: yaml.MappingNode) -> yaml.ScalarNode | None:
    seen: set[str] = set()
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue  # no field has such a name, which is said of the whole
        if key.value in seen:
            return key
        seen.add(key.value)
        if isinstance(value, yaml.MappingNode) and (inner := _twice(value)) is not None:
            return inner
    return None


def _line(node: yaml.Node, names: list[str]) -> int:
    """Of the deepest of these keys that is there."""
    line = node.start_mark.line
    for name in names:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        pair = next(((key, value) for key, value in pairs if key.value == name), None)
        if pair is None:
            break
        line, node = pair[0].start_mark.line, pair[1]
    return line + 1
