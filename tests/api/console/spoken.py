"""Every text of the errors that a page may show, as a template, read from the code that says it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from soc import errors

ROOT = Path(errors.__file__).parents[1]
_OF_STORES = {"Busy", "Conflict", "Forbidden", "NotFound", "QueryError", "StoreUnavailable"}
_ALL = _OF_STORES | {"ConfigError", "NeedsReason", "ParseError", "Refused", "SignInNeeded", "StrayError", "Undelivered"}
_PLACES = {
    "api/**/*.py": _ALL | {"RuleError"},
    "collector/parse/*.py": _ALL,
    "collector/snippets/*.py": _ALL,
    **{f"collector/probe/{name}.py": _ALL for name in ("check", "reader")},
    **{f"collector/{name}.py": _ALL for name in ("diagnose", "enrol", "guess", "preview")},
    **{f"rules/desk/{name}.py": _ALL for name in ("exception", "tuning")},
    **{f"rules/lists/{name}.py": _ALL | {"ValueError"} for name in ("index", "pack", "spelling")},
    "soc/model/**/*.py": _ALL,
    "soc/notify/*.py": _ALL,
    "soc/query/*.py": _ALL,
    "soc/service/collector.py": {"ParseError"},
    "soc/store/*.py": _OF_STORES,
    "soc/store/elastic/events/*.py": _OF_STORES,
    "soc/store/elastic/records/*.py": _OF_STORES,
}
# Functions whose answer is the text of an error, or a part of one.
_SPEAKING = {"doubt", "_of_org", "_of_service", "_elsewhere", "_too_large", "_named"}
# Calls whose second argument is the text of an error, or a part of one; and what is put before it.
_CALLED = {"Expected": "", "refuse": "%(where)s: %(name)s ", "wrong": "%(where)s: %(name)s has to be "}


def templates() -> Iterator[str]:
    """With `%(name)s` for what is put in."""
    for pattern, kinds in _PLACES.items():
        files = sorted(ROOT.glob(pattern))
        assert files, f"{pattern} is nowhere any more"
        for file in files:
            for function in _functions(ast.parse(file.read_text())):
                yield from _of_function(function, kinds)


def _functions(module: ast.Module) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef):
            yield node


def _assigned(function: ast.FunctionDef) -> dict[str, list[ast.expr]]:
    """Every value that a local name is given."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.setdefault(node.targets[0].id, []).append(node.value)
    return found


def _of_function(function: ast.FunctionDef, kinds: set[str]) -> Iterator[str]:
    names = _assigned(function)
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and node.value and function.name in _SPEAKING:
            yield from _texts(node.value, names)
        if not isinstance(node, ast.Call):
            continue
        called = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if called in kinds and node.args:
            yield from _texts(node.args[0], names)
        elif called in _CALLED and len(node.args) > 1:
            whole, *parts = _texts(node.args[1], names)
            yield _CALLED[called] + whole
            yield from parts


def _texts(said: ast.expr, names: dict[str, list[ast.expr]]) -> Iterator[str]:
    """The template, then those of the parts that the code itself puts in."""
    match said:
        case ast.Constant(value=str(text)):
            if text:
                yield text
        case ast.IfExp(body=body, orelse=orelse):
            yield from _texts(body, names)
            yield from _texts(orelse, names)
        case ast.BoolOp(values=values):
            for value in values:
                yield from _texts(value, names)
        case ast.Name(id=name):
            for value in names.get(name, []):
                yield from _texts(value, {other: values for other, values in names.items() if other != name})
        case ast.JoinedStr(values=values):
            yield "".join(v.value if isinstance(v, ast.Constant) else f"%({_name(v.value)})s" for v in values)
            for value in values:
                if isinstance(value, ast.FormattedValue):
                    yield from _texts(value.value, names)


def _name(value: ast.expr) -> str:
    words = [
        n.id if isinstance(n, ast.Name) else n.attr for n in ast.walk(value) if isinstance(n, ast.Name | ast.Attribute)
    ]
    return (words or ["it"])[0].strip("_").lower()
