"""One process a role and data directory: a lock file held for as long as the process lives."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from soc.errors import ConfigError


@contextmanager
def only_one(data_dir: Path, role: str) -> Iterator[None]:
    """Hold the role's lock; raises `ConfigError` naming the process that has it. The kernel frees it, however we end."""
    data_dir.mkdir(parents=True, exist_ok=True)
    path = data_dir / f"{role}.lock"
    with path.open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise ConfigError(
                f"a {role} is already running on {data_dir} (process {holder}): stop it, or use another --data-dir"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
