"""`absence`: an event of the first rule that no event of another rule follows within the timespan."""

from __future__ import annotations

from collections.abc import Iterator

from rules.correlate.entries import ID_BYTES, Entries


def absences(entries: Entries, at: int, until: int, span: int) -> Iterator[tuple[int, int]]:
    """(its time, index after the last record of that time) of each such event from the index `at` on and before `until`.

    An answer at `t <= ts < t + span` counts: one of the same instant does, as nobody knows the order inside an instant.
    """
    total = len(entries)
    answer = at  # the first answer that is not before the event looked at
    while at < total and (now := entries.time(at)) < until:
        high = at
        asked = False
        while high < total and entries.time(high) == now:
            asked = asked or entries.record(high)[ID_BYTES] == 0
            high += 1
        if asked:
            answer = max(answer, at)
            while answer < total and entries.record(answer)[ID_BYTES] == 0:
                answer += 1
            if answer == total or entries.time(answer) >= now + span:
                yield now, high
        at = high
