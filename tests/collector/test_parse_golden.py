"""Every `tests/golden/<source type>/<case>.log` gives the documents in `<case>.json`, one a line of input.

After a wanted change: `GOLDEN=write pytest tests/collector/test_parse_golden.py`, then read the difference.
"""

from __future__ import annotations

import os
from pathlib import Path

import orjson
import pytest

from collector.base import Record
from collector.parse.record import to_event
from collector.parse.registry import PARSERS
from collector.privacy import Masker
from soc.model.source import Source, Transport

GOLDEN = Path(__file__).parents[1] / "golden"
NOW_MS = 1_772_420_400_000  # 2026-03-02T10:00:00+07:00
CASES = sorted(GOLDEN.glob("*/*.log"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.stem}")
def test_golden(case: Path) -> None:
    source = Source("source-1", "web01", "H42", case.parent.name, Transport.FILE)
    masker = Masker(b"golden key of 32 bytes, not secret"[:32])
    lines = case.read_bytes().split(b"\n")[:-1]
    documents = [to_event(Record(line, str(n)), source, masker, NOW_MS).fields for n, line in enumerate(lines)]
    expected = case.with_suffix(".json")
    if os.environ.get("GOLDEN") == "write":
        expected.write_bytes(
            orjson.dumps(documents, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)
        )
    assert documents == orjson.loads(expected.read_bytes())


def test_every_format_has_a_golden() -> None:
    assert {case.parent.name for case in CASES} == set(PARSERS)
