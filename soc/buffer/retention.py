"""Retention of the event log: whole day files go, by age and by size; never one that the detector or the indexer has not read."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from soc.buffer.base import Cursor
from soc.buffer.sqlite import EventLog, day_file, days, size_bytes


def read_by_all(cursors: Iterable[Cursor]) -> Cursor:
    """What every one of these readers has read."""
    every = list(cursors)
    shared = set.intersection(*(set(cursor) for cursor in every))
    return {partition: min(cursor[partition] for cursor in every) for partition in shared}


def free_bytes(folder: Path) -> int:
    """Free on the disk that holds the folder."""
    return shutil.disk_usage(folder).free


def expire(
    log: EventLog,
    *,
    keep_s: float,
    target_bytes: int,
    read_to: Cursor,
    wanted_free_bytes: int = 0,
    now: Callable[[], float] = time.time,
    free: Callable[[Path], int] = free_bytes,
) -> list[tuple[str, str]]:
    """Delete day files whose last write is older than `keep_s`, then the oldest days until the log fits `target_bytes` and
    `wanted_free_bytes` are free on its disk.

    Age counts from the last write, so that an old log replayed today is not deleted tomorrow. Days with events after the
    cursor `read_to` stay, whatever their age; a log that cannot shrink enough slows its sources down instead
    (`EventLog.append` raises `Busy`). Returns (day, reason) of each deleted file; the reason is `age`, `size` or `disk`.
    """
    deleted = []
    for day in days(log.directory):
        age = now() - day_file(log.directory, day).stat().st_mtime
        if age > keep_s:
            reason = "age"
        elif size_bytes(log.directory) > target_bytes:
            reason = "size"
        elif free(log.directory) < wanted_free_bytes:
            reason = "disk"
        else:
            continue
        if log.delete_if_read(day, read_to):
            deleted.append((day, reason))
    return deleted
