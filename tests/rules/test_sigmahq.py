"""The public rules: every one of them loads, in time, and from the cache to the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.load.cache import Cache
from rules.load.folders import load

pytestmark = pytest.mark.xdist_group("sigmahq")  # one worker: what they share takes long to make


@pytest.mark.long
def test_every_public_rule_is_supported_and_kept(test_data: Path, tmp_path: Path) -> None:
    files: list[int] = []
    with Cache(tmp_path) as cache:
        first = load([test_data / "sigmahq" / "rules"], cache=cache, progress=lambda n, _: files.append(n))
    assert [str(error) for error in first.errors] == []
    assert len(first.rules) == files[-1] == 3141
    with Cache(tmp_path) as cache:
        again = load([test_data / "sigmahq" / "rules"], cache=cache, progress=lambda n, _: files.append(n))
    assert len(files) == 3141, "compiled twice"
    assert again.rules[::10] == first.rules[::10]
    checks = {id(check) for rule in again.rules for check in _checks(rule)}
    assert len(checks) < 0.8 * sum(len(_checks(rule)) for rule in again.rules), "equal checks are one object"


def _checks(rule):
    from rules.condition import checks

    return list(checks(rule.condition))
