"""Files that others read while they are written: whole or not at all, whatever ends the writing."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, content: bytes, mode: int = 0o644) -> None:
    """On the disk when it returns. What was there before is read until then. One writer at a time. Raises `OSError`."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)  # left by a writer that was killed, with whatever rights it had
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    new.replace(path)
