"""Starts the processes of `soc run`, starts again what died, and stops them all together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

log = structlog.get_logger("supervisor")

BAD_CONFIGURATION = 2
MINDED = "SOC_MINDED"  # set in the environment of the processes that `soc run` minds
_STEADY_S = 30.0
_MAX_PAUSE_S = 30.0
_STOP_S = 15.0


@dataclass(slots=True)
class Child:
    """One process: `soc <arguments>`. `pause_s` grows while it keeps dying young."""

    name: str
    arguments: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    pause_s: float = 1.0
    due_at: float = field(default=0.0)

    def start(self) -> None:
        # Its standard input is a pipe that ends when we do: no child outlives us, whatever ends us.
        self.process = subprocess.Popen(  # noqa: S603 - our own arguments
            [sys.executable, "-m", "soc", *self.arguments], stdin=subprocess.PIPE, env=os.environ | {MINDED: "1"}
        )
        self.started_at = time.monotonic()


def supervise(children: Sequence[Child], stop: threading.Event, poll_s: float = 0.2) -> int:
    """Until told to stop, or until a child says that its configuration is bad (exit 2); returns the exit code."""
    for child in children:
        child.start()
    code = 0
    try:
        while not code and not stop.wait(poll_s):
            for child in children:
                if _tend(child) == BAD_CONFIGURATION:
                    code = BAD_CONFIGURATION
    finally:
        _stop(children)
    return code


def _tend(child: Child) -> int | None:
    """Starts a dead child again after its pause; returns the exit code of one that has just died."""
    now = time.monotonic()
    if child.process is None:
        if now >= child.due_at:
            child.start()
        return None
    code = child.process.poll()
    if code is None:
        return None
    if now - child.started_at > _STEADY_S:
        child.pause_s = 1.0
    if code != BAD_CONFIGURATION:
        log.warning("a process died, starting it again", process=child.name, exit_code=code, pause_s=child.pause_s)
    child.process, child.due_at = None, now + child.pause_s
    child.pause_s = min(child.pause_s * 2, _MAX_PAUSE_S)
    return code


def _stop(children: Sequence[Child]) -> None:
    running = [child.process for child in children if child.process is not None and child.process.poll() is None]
    for process in running:
        process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + _STOP_S
    for process in running:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
