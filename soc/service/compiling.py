"""Compiled rules are kept in the data directory, so that only what changed is compiled at a start; what takes a while is said."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import structlog

from rules.load.cache import Cache
from soc.errors import ConfigError
from soc.settings import Settings, as_environment

log = structlog.get_logger("rules")

MANY = 500  # files; with fewer it is over before anybody asks
_NICE = (
    5  # the rules that run come first, yet on a machine without a free moment those that changed come within a minute
)
_PATIENCE_S = 1800.0
_NEEDED = ("SOC_DATA_DIR", "SOC_DETECT__")  # all that compiling looks at; the other settings hold secrets


@contextmanager
def kept(settings: Settings) -> Iterator[Cache]:
    """For `rules.load.folders`. A cache that cannot be used is done without, and said."""
    with Cache(settings.data_dir / "cache" / "rules") as cache:
        yield cache
    if cache.trouble:
        log.warning("compiled rules cannot be kept, so each start compiles them anew", reason=cache.trouble)


class Databases:
    """Compiled databases of an engine, kept there too: `rules.match.database.Blobs`. Opened for each question, as an engine is made in one
    thread and runs in another, and asks seldom."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def get(self, key: str) -> bytes | None:
        with kept(self._settings) as cache:
            return cache.get(key)

    def put(self, key: str, value: bytes) -> None:
        with kept(self._settings) as cache:
            cache.put(key, value)


class Apart:
    """`soc rules compile` by a process of its own at a low priority: in this one, the rules that run would wait. What it makes lies in
    the cache. `close` may be called by another thread."""

    def __init__(self, settings: Settings, patience_s: float = _PATIENCE_S) -> None:
        others = {name: value for name, value in os.environ.items() if not name.upper().startswith("SOC_")}
        ours = {name: value for name, value in as_environment(settings).items() if name.startswith(_NEEDED)}
        self._environment = others | ours
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._closed = False
        self._process: subprocess.Popen[bytes] | None = None

    def run(self) -> bool:
        """False when closed meanwhile. Raises `ConfigError` when it does not come to its end, as what it stumbled over would stop this
        process, too; whatever else it does not like, loading the rules tells."""
        with self._lock:
            if self._closed:
                return False
            process = self._process = self._started()
        try:
            status = process.wait(self._patience_s)
        except subprocess.TimeoutExpired:
            _end(process)
            raise ConfigError(f"compiling them took more than {self._patience_s:.0f} s") from None
        if status < 0 and not self._closed:
            raise ConfigError(
                f"compiling them was ended by {signal.strsignal(-status)}: there may be too little memory"
            )
        return not self._closed

    def close(self) -> None:
        """Leave no process behind, and start none any more."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                _end(self._process)

    def _started(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "soc", "rules", "compile"],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        with suppress(OSError):  # it is over already
            os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)
        return process


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()


def say(done: int, total: int) -> None:
    """How far compiling has come."""
    if total >= MANY and (done == 1 or done % MANY == 0 or done == total):
        log.info("compiling rules", done=done, of=total)
