"""Lines that the filters read. It imports nothing heavy: a filter in a pipe starts at once."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def opened(file: str) -> Iterator[IO[bytes]]:
    """A file, also a compressed one (`.gz`); `-` is standard input."""
    if file == "-":
        yield sys.stdin.buffer
        return
    with gzip.open(file) if file.endswith(".gz") else Path(file).open("rb") as stream:
        yield stream  # type: ignore[misc]
