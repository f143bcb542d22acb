"""Waiting out a full or failing buffer: nothing is skipped, the source is slowed down instead."""

from __future__ import annotations

import threading
from collections.abc import Callable

from soc.errors import Busy, StoreUnavailable

_LONGEST_PAUSE_S = 2.0


def insist(act: Callable[[], None], stop: threading.Event, waiting: Callable[[str | None], None]) -> bool:
    """Repeat `act` while it raises `Busy` or `StoreUnavailable`. False if told to stop first; anything else it raises passes.

    It is tried once in any case: who is told to stop still notes how far it has come. `waiting` is told the reason before each pause, and
    None once it is over.
    """
    pause_s = 0.05
    waited = False
    while True:
        try:
            act()
        except (Busy, StoreUnavailable) as error:
            waited = True
            waiting(str(error) or type(error).__name__)
            if stop.wait(pause_s):
                return False
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        else:
            if waited:
                waiting(None)
            return True
