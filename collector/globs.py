"""Which files belong to a source: what its patterns match, and what rotation made of those files."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Callable, Sequence

# `access.log.1`, `access.log.2.gz`, `access.log-20261122`, `access.log.2026-11-22.gz`: group 1 is the name before rotation.
_ROTATED = re.compile(r"(.+?)[.-]\d[\d._-]{0,30}(?:\.(?:gz|bz2|xz))?")

# File key (device:inode) -> the name to open, and its status.
Found = dict[str, tuple[str, os.stat_result]]


def base_name(path: str) -> str:
    """The name that a rotated file had before: `/x/access.log.2.gz` to `/x/access.log`; other names as they are."""
    directory, slash, name = path.rpartition("/")
    match = _ROTATED.fullmatch(name)
    return f"{directory}{slash}{match[1]}" if match else path


def file_key(status: os.stat_result) -> str:
    return f"{status.st_dev}:{status.st_ino}"


class Globs:
    """Finds the regular files that match patterns (`**` included) and their rotated siblings, matched or not.

    A sibling counts if it is known already or was last written at or after its base name's `since` (mtime, ns). A base
    name without one is followed for the first time: what had been rotated before the first look is `history`, if that
    is really the first one.
    """

    def __init__(self, patterns: Sequence[str], since: dict[str, int], *, history: bool) -> None:
        self._patterns = [os.path.abspath(pattern) for pattern in patterns]  # noqa: PTH100 (a pattern is not a Path)
        self._since = since
        self._history = history
        self.problems: dict[str, str] = {}  # by name, as of the last look

    def look(self, known: Callable[[str], bool]) -> Found:
        """What is there now; a file with several names counts once. Blocks on the file system; never raises `OSError`."""
        problems: dict[str, str] = {}
        found: Found = {}
        bases: set[str] = set()
        for pattern in self._patterns:
            names = sorted(glob.glob(pattern, recursive=True)) if glob.has_magic(pattern) else [pattern]  # noqa: PTH207
            if not names:
                problems[pattern] = f"no file matches {pattern}"
            for path in names:
                _add(path, found, problems)
            bases.update(map(base_name, names))
        for base, siblings in _siblings(bases, problems).items():
            fresh = {key: sibling for key, sibling in siblings.items() if key not in found}
            if base not in self._since:
                newest = max((status.st_mtime_ns + 1 for _, status in fresh.values()), default=0)
                self._since[base] = newest if self._history else 0
            for key, (path, status) in fresh.items():
                if known(key) or status.st_mtime_ns >= self._since[base]:
                    found[key] = path, status
        self._history = False
        self.problems = problems  # in one step: another thread shows them
        return found


def _add(path: str, found: Found, problems: dict[str, str]) -> None:
    try:
        status = os.stat(path)  # noqa: PTH116 (a thousand files a second pass here)
    except OSError as error:
        problems[path] = f"{path}: {error.strerror}"
        return
    if stat.S_ISREG(status.st_mode):
        found.setdefault(file_key(status), (path, status))


def _siblings(bases: set[str], problems: dict[str, str]) -> dict[str, Found]:
    siblings: dict[str, Found] = {base: {} for base in bases}
    for directory in {base.rpartition("/")[0] or "/" for base in bases}:
        try:
            names = os.listdir(directory)  # noqa: PTH208
        except OSError:
            continue  # the names in it have been reported
        for name in names:
            path = f"{directory.rstrip('/')}/{name}"
            base = base_name(path)
            if base != path and base in siblings:
                _add(path, siblings[base], problems)
    return siblings
