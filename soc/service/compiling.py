"""Compiled rules are kept in the data directory, so that only what changed is compiled at a start; what takes a while is said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from rules.cache import Cache
from soc.settings import Settings

log = structlog.get_logger("rules")

MANY = 500  # files; with fewer it is over before anybody asks


@contextmanager
def kept(settings: Settings) -> Iterator[Cache]:
    """For `rules.load`. A cache that cannot be used is done without, and said."""
    with Cache(settings.data_dir / "cache" / "rules") as cache:
        yield cache
    if cache.trouble:
        log.warning("compiled rules cannot be kept, so each start compiles them anew", reason=cache.trouble)


class Databases:
    """Compiled databases of an engine, kept there too: `rules.database.Blobs`. Opened for each question, as an engine is made in one
    thread and runs in another, and asks seldom."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def get(self, key: str) -> bytes | None:
        with kept(self._settings) as cache:
            return cache.get(key)

    def put(self, key: str, value: bytes) -> None:
        with kept(self._settings) as cache:
            cache.put(key, value)


def say(done: int, total: int) -> None:
    """How far compiling has come."""
    if total >= MANY and (done == 1 or done % MANY == 0 or done == total):
        log.info("compiling rules", done=done, of=total)
