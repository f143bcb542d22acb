"""One group: the windows of its hits, against sets of instants."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from rules.correlate.entries import Entries
from rules.correlate.group import Group

WINDOWS = st.lists(st.tuples(st.integers(1, 90), st.integers(1, 12)), max_size=40)


def a_day(ts: int) -> str:
    return f"day{ts // 30}"


@given(windows=WINDOWS)
def test_each_part_of_a_day_is_covered_once_and_known_as_covered(windows: list[tuple[int, int]]) -> None:
    group, covered = Group("k", b"hy", Entries(16)), dict[str, set[int]]()
    for hi, span in windows:
        known = covered.setdefault(a_day(hi), set())
        new = {ts for lo, up in group.cover(a_day(hi), hi - span, hi) for ts in range(lo + 1, up + 1)}
        assert new == set(range(hi - span + 1, hi + 1)) - known
        known |= new
    for ts in range(-15, 95):
        assert sorted(group.covering(ts)) == sorted(day for day, known in covered.items() if ts in known)
    assert [one.hi for one in group.covered] == sorted(one.hi for one in group.covered)


def test_windows_that_do_not_touch_do_not_make_each_other_dearer() -> None:
    """Counted in lines, not seconds."""
    lines = 0

    def count(frame, what, _):
        nonlocal lines
        lines += what == "line" and frame.f_code.co_filename.endswith("group.py")
        return count

    group = Group("k", b"hy", Entries(16))
    for i in range(5000):
        group.cover("day", 10 * i, 10 * i + 5)
    before = sys.gettrace()
    sys.settrace(count)
    group.cover("day", 10 * 2500 + 7, 10 * 2500 + 8)
    assert list(group.covering(30_008)) == []
    sys.settrace(before)
    assert 0 < lines < 100
