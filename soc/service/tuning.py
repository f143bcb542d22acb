"""The tuning that holds now, as the detector knows it: read again whenever somebody lays something down.

A thread of its own asks each second, so that the detector never waits for the store; while the store is away, what was last known
counts. That an exception ends needs no store: the time is asked with each batch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import tzinfo
from typing import TypeVar

import structlog

from rules.desk.tuning import Tuning
from soc import telemetry
from soc.complaint import Complaint
from soc.errors import ConfigError
from soc.model.policy import PolicyKind
from soc.model.rule import RuleFault
from soc.model.tuning import exception_of, setting_of
from soc.service.looking import looking
from soc.store.base import PolicyStore

log = structlog.get_logger("detector")
T = TypeVar("T")

_LOOK_S = 1.0


def read_tuning(policies: PolicyStore, zone: tzinfo) -> Tuning:
    """What is laid down now. What cannot be read is left out and is a fault of the tuning. Raises what the store raises."""
    faults: list[RuleFault] = []
    settings = _read(policies, PolicyKind.RULE, setting_of, faults)
    tuning = Tuning(settings, _read(policies, PolicyKind.EXCEPTION, exception_of, faults), zone)
    tuning.faults += faults
    return tuning


def _read(
    policies: PolicyStore, kind: PolicyKind, read: Callable[[str, Mapping[str, object]], T], faults: list[RuleFault]
) -> list[T]:
    found = []
    for policy in policies.list(kind):
        try:
            found.append(read(policy.id, policy.body or {}))
        except ConfigError as error:
            faults.append(RuleFault(str(error), rule_id=policy.id if kind is PolicyKind.RULE else None))
    return found


class KnownTuning:
    """`load` has to be called once before `now`. Both leave what has not changed as it is."""

    def __init__(self, policies: PolicyStore, zone: tzinfo) -> None:
        self._policies = policies
        self._zone = zone
        self._revision: int | None = None
        self._now = Tuning(zone=zone)
        self._lock = threading.Lock()

    def now(self) -> Tuning:
        return self._now

    def as_now(self) -> Tuning:
        """What is laid down at this moment. Raises what the store raises."""
        self.load()
        return self._now

    def load(self) -> None:
        """Read it again when something has changed; any thread may. Raises what the store raises; then nothing has."""
        with self._lock:
            revision = self._policies.revision()  # first: what is laid down meanwhile is read again the next time
            if revision != self._revision:
                self._now = read_tuning(self._policies, self._zone)
                self._revision = revision
                telemetry.TUNED.set(revision)


def keeping(known: KnownTuning, look_s: float = _LOOK_S) -> AbstractContextManager[None]:
    """While the block runs, what people lay down is known within about `look_s`."""
    complaint = Complaint(log, "the tuning is the one last known", "the tuning is known again")
    return looking("tuning", known.load, look_s, complaint, telemetry.TUNING_FAILURES)
