"""The reader gives what `flat(orjson.loads(text))` does, whatever the text."""

from __future__ import annotations

import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc.model.event import flat
from soc.model.reader import Reader

_WORDS = st.text(max_size=8) | st.sampled_from(["a", "a.b", "b", ""])
_NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
_SCALARS = st.none() | st.booleans() | _NUMBERS | _WORDS
_VALUES = st.recursive(
    _SCALARS | st.lists(_SCALARS, max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=3),
    max_leaves=6,
)
# Numbers and strings as people and programs write them, and as nobody should.
_NUMBERS_AS_WRITTEN = (
    "1e5 1E400 -0 -0.0 01 1. .5 NaN 18446744073709551615 9223372036854775808 -9223372036854775809 5e-324"
)
_OTHERS_AS_WRITTEN = ("tru", r'"\ud800"', r'"\ud83d\ude00"', r'"\x"', '"\x01"', "[[1]]", "{}", "[{}]")
_ODD = st.sampled_from([*_NUMBERS_AS_WRITTEN.split(), *_OTHERS_AS_WRITTEN])


def _written(value: object) -> str:
    match value:
        case dict():
            return "{" + ",".join(f"{_written(key)}: {_written(one)}" for key, one in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_written, value)) + "]"
        case bool() | None:
            return {True: "true", False: "false", None: "null"}[value]
        case int() | float():
            return repr(value)
    return orjson.dumps(value).decode()


def _outcome(read, text: bytes):
    """What is read, with the type of each value; the kind of error where it is none."""
    try:
        fields = read(text)
    except (ValueError, TypeError) as error:
        return ValueError if isinstance(error, ValueError) else TypeError
    return [(key, _typed(value)) for key, value in sorted(fields.items())]


def _typed(value):
    if isinstance(value, list):
        return [_typed(one) for one in value]
    return type(value), math.copysign(1, value) if value == 0 and isinstance(value, float) else None, value


def _plainly(text: bytes):
    document = orjson.loads(text)
    if not isinstance(document, dict):
        raise TypeError
    return flat(document)


@given(st.dictionaries(_WORDS, _VALUES, max_size=6) | _VALUES)
def test_what_is_written_is_read_alike(document):
    text = _written(document).encode(errors="surrogatepass")
    assert _outcome(Reader().read, text) == _outcome(_plainly, text)


@given(st.lists(st.tuples(_WORDS, _ODD), max_size=4))
def test_odd_texts_are_read_alike(pairs):
    text = "{" + ",".join(f"{_written(key)}:{value}" for key, value in pairs) + "}"
    assert _outcome(Reader().read, text.encode()) == _outcome(_plainly, text.encode())


@given(st.binary(max_size=12))
def test_bytes_are_read_alike(inside):
    text = b'{"a":"' + inside + b'"}'
    assert _outcome(Reader().read, text) == _outcome(_plainly, text)


@pytest.mark.parametrize("depth", [200, 2_000, 100_000])
def test_depth_is_bounded(depth):
    text = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
    assert _outcome(Reader().read, text) == _outcome(_plainly, text)


def test_a_nested_stream_is_read_alike_from_the_first_to_the_last():
    reader = Reader()
    for number in range(3_000):
        text = b'{"a": {"b": %d}}' % number if number % 3 else b'{"a.b": %d}' % number
        assert reader.read(text) == _plainly(text)
