"""Where tests keep their files: in memory if there is room, since much of what they do is to wait for a disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_MEMORY = Path("/dev/shm")
_ROOM = 8 << 30  # of which they use less than 2 GiB


def roomy() -> Path | None:
    """None: where others keep temporary files."""
    usable = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= _ROOM
    return _MEMORY if usable else None


def use_for_tests() -> None:
    """All that pytest gives as `tmp_path`, in this process and its workers, unless the environment names a place."""
    if place := roomy():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(place))
