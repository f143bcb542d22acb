"""Many series of one system that are called at once."""

from __future__ import annotations

from detector.together import Together

MINUTE = 60_000


def test_a_late_correction_takes_nothing_of_afterwards_for_at_once():
    together = Together()
    for n in range(3):
        together.note("hungyen", "otp", f"s{n}", 50 * MINUTE)
    together.note("hungyen", "otp", "late", 0)
    assert together.since("hungyen", "otp", 50 * MINUTE) is None
    together.note("hungyen", "otp", "fourth", 52 * MINUTE)
    assert together.since("hungyen", "otp", 52 * MINUTE) == 52 * MINUTE
