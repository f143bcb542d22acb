"""Hot reload: the rules are read again when their files change, and taken up between two batches.

A thread looks at the files every few seconds, and lets a change rest for one more look: editors and copies write in steps. It has what
changed compiled by another process, arranges the new rules while the old ones run, and offers them; the thread that runs the rules
takes them when it is between two batches. Whatever goes wrong meanwhile, the rules that run go on. A correlation that did not change
finds its windows where it left them: in the state that is committed, under the hashes of its rules.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from rules.engine import Engine
from soc import telemetry
from soc.complaint import Complaint
from soc.errors import SocError
from soc.pipeline import Pipeline
from soc.service.compiling import Apart
from soc.service.process import now_ms
from soc.service.published import Publisher
from soc.service.ruleset import Chosen, choose, stamps
from soc.service.stamps import Stamp
from soc.settings import Settings

log = structlog.get_logger("detector")

_LOOK_S = 2.0
_STOP_S = 5.0


@dataclass(frozen=True, slots=True)
class Rules:
    """A set of rules, ready to run. `stamps`: of their files when they were read."""

    chosen: Chosen
    engine: Engine
    stamps: frozenset[Stamp]


@dataclass(frozen=True, slots=True)
class Progress:
    """As `Publisher.checked` takes it."""

    loading_since: int | None = None
    checked: int | None = None
    refused: str | None = None


class Reloader:
    """`make`: an engine of these rules. `before_offering`: done when new rules are ready, before anybody takes them."""

    def __init__(
        self,
        settings: Settings,
        running: Rules,
        make: Callable[[Chosen], Engine],
        before_offering: Callable[[], None] = lambda: None,
    ) -> None:
        self.asked = threading.Event()  # somebody wants them to be read again, whether they have changed or not
        self.progress = Progress()
        self._settings = settings
        self._running = running
        self._make = make
        self._before_offering = before_offering
        self._offered = deque[Rules](maxlen=1)
        self._seen = running.stamps  # at the last look
        self._tried: frozenset[Stamp] | None = running.stamps  # when rules were last read
        self._read = running.stamps  # when they were last read and compiled
        self._apart = Apart(settings)

    def close(self) -> None:
        """Leave no process behind."""
        self._apart.close()

    def take(self) -> Rules | None:
        """New rules that are ready: once, to whoever asks first."""
        try:
            return self._offered.pop()
        except IndexError:
            return None

    def look(self) -> None:
        """Read the rules again if their files have changed and then stayed the same for one look, or if asked to. Raises what loading
        raises; then the rules that run go on."""
        wanted = self.asked.is_set()
        self.asked.clear()  # first: whatever fails, nobody is to ask for it again and again
        try:
            seen = stamps(self._settings)
        except Exception as error:
            self._tried = None  # once they can be seen, they are read
            self._refuse(error)
            raise
        settled = self._settled(seen)
        if not (wanted or settled):
            return
        self._tried = seen
        self.progress = Progress(self.progress.loading_since or now_ms(), refused=self.progress.refused)
        try:
            self._load(seen)
        except Exception as error:
            self._refuse(error)
            raise
        self.progress = Progress(checked=now_ms())

    def _settled(self, seen: frozenset[Stamp]) -> bool:
        """Whether there is a change, and it is over."""
        settled, self._seen = seen == self._seen, seen
        if seen == self._tried:
            if self.progress.loading_since is not None:  # taken back before it was read
                self.progress = Progress(refused=self.progress.refused)
            return False
        if not settled and self.progress.loading_since is None:
            self.progress = Progress(now_ms(), refused=self.progress.refused)
        return settled

    def _refuse(self, error: Exception) -> None:
        telemetry.RELOAD_FAILURES.inc()
        why = str(error) if isinstance(error, SocError) else f"{type(error).__name__}: {error}"
        self.progress = Progress(checked=now_ms(), refused=f"the rules that were running go on: {why}")

    def _load(self, seen: frozenset[Stamp]) -> None:
        began = time.monotonic()
        if seen - self._read and not self._apart.run():
            return
        self._read = seen
        before = self._running.chosen
        chosen = choose(self._settings, before.docs, again=True)
        if (chosen.hash, chosen.said) == (before.hash, before.said):
            return
        for error in chosen.ruleset.errors:
            log.warning("a rule cannot be loaded, the others run", rule=str(error))
        engine = self._make(chosen)
        engine.succeed(self._running.engine)
        self._before_offering()
        self._running = Rules(chosen, engine, seen)
        self._offered.append(self._running)
        log.info(
            "rules have changed", rules=len(chosen.docs), hash=chosen.hash, took_s=round(time.monotonic() - began, 1)
        )


def taking_up(
    pipeline: Pipeline, publisher: Publisher, reloader: Reloader, follow: Callable[[Rules], None] = lambda _: None
) -> Callable[[], None]:
    """What to do between two batches. `follow`: is told of rules that are taken up."""
    told = reloader.progress

    def between() -> None:
        nonlocal told
        if (new := reloader.take()) is not None:
            pipeline.use(new.engine, {doc.hash: doc for doc in new.chosen.docs})
            publisher.follow(new.chosen, new.engine)
            follow(new)
        if (progress := reloader.progress) is not told:
            told = progress
            publisher.checked(progress.loading_since, progress.checked, progress.refused)
        publisher.look()

    return between


@contextmanager
def reloading(reloader: Reloader, look_s: float = _LOOK_S) -> Iterator[None]:
    """While the block runs, changed rules are offered within a few seconds."""
    stop = threading.Event()
    looking = threading.Thread(target=_keep, args=(reloader, stop, look_s), name="rules", daemon=True)
    looking.start()
    try:
        yield
    finally:
        stop.set()
        reloader.asked.set()
        reloader.close()
        looking.join(_STOP_S)


def _keep(reloader: Reloader, stop: threading.Event, look_s: float) -> None:
    """Nothing that fails ends it: a detector without it would go on with old rules for ever."""
    complaint = Complaint(
        log, "changed rules cannot be taken up, those that run go on", "the rules are up to date again"
    )
    while True:
        reloader.asked.wait(look_s)
        if stop.is_set():
            return
        try:
            reloader.look()
        except Exception as error:  # noqa: BLE001 - it is counted and said
            complaint.failed(error)
        else:
            if reloader.progress.refused is None:
                complaint.over()
