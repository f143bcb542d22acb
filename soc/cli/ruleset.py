"""The rules of a command: what was compiled before comes from the cache of whoever runs it; while the rest is compiled, a bar moves."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from rules.compile.pipeline import Reference
from rules.load.cache import Cache, user_folder
from rules.load.folders import load
from rules.rule import RuleSet

if TYPE_CHECKING:
    from rich.progress import Progress

MANY = 100  # files; with fewer, a bar would only flicker


class Compiling:
    """Counts what has to be compiled, and shows it where somebody is looking. `files`: compiled so far; `cpu_s`: all of loading."""

    def __init__(self) -> None:
        self.files = 0
        self.cpu_s = 0.0
        self._bar: Progress | None = None
        self._stack = ExitStack()

    def load(self, paths: Iterable[Path], pipelines: Sequence[Reference] = ()) -> RuleSet:
        """Raises ConfigError, as `rules.load.folders` does."""
        began = time.process_time()
        with self._stack, command_cache() as cache:
            ruleset = load(paths, pipelines, cache=cache, progress=self._moved)
        self.cpu_s = time.process_time() - began
        return ruleset

    def _moved(self, done: int, total: int) -> None:
        self.files = done
        if total < MANY or not sys.stderr.isatty():
            return
        if self._bar is None:
            from rich.console import Console
            from rich.progress import Progress  # takes a while to import, and mostly nothing is compiled

            self._bar = self._stack.enter_context(Progress(console=Console(stderr=True), transient=True))
            self._bar.add_task("Compiling rules", total=total)
        self._bar.update(self._bar.task_ids[0], completed=done)


def load_rules(paths: Iterable[Path], pipelines: Sequence[Reference] = ()) -> RuleSet:
    """Raises ConfigError, as `rules.load.folders` does."""
    return Compiling().load(paths, pipelines)


def command_cache() -> Cache:
    """Of whoever runs a command."""
    try:
        return Cache(user_folder() / "rules")
    except RuntimeError:  # nobody's home: what cannot be written is done without
        return Cache(Path("/nonexistent"))
