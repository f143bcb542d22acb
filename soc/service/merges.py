"""Which organisations took over from which, as the observer knows it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import structlog

from soc.errors import ConfigError
from soc.model.org import Organisation
from soc.model.policy import PolicyKind
from soc.settings import Settings
from soc.store.base import PolicyStore

log = structlog.get_logger("observer")


class KnownMerges:
    """As last known: it goes on with that while the store is away."""

    def __init__(self, policies: PolicyStore, settings: Settings) -> None:
        self._policies, self._zone = policies, ZoneInfo(settings.detect.zone)
        self._revision: int | None = None
        self._parts: dict[str, list[tuple[int, str]]] = {}

    def of(self, org: str) -> Sequence[tuple[int, str]]:
        """The end (ms) of each organisation that this one took over from, and its code."""
        return self._parts.get(org, ())

    def load(self) -> None:
        """Raises what the store raises; then nothing has changed."""
        revision = self._policies.revision()
        if revision == self._revision:
            return
        found: dict[str, list[tuple[int, str]]] = {}
        for policy in self._policies.list(PolicyKind.ORGANISATION):
            try:
                org = Organisation.read(f"organisation {policy.id}", policy.body or {})
            except ConfigError as error:
                log.warning("an organisation cannot be read", reason=str(error))
                continue
            if org.successor and org.valid_to:
                end = datetime.combine(org.valid_to + timedelta(days=1), time(), self._zone)
                found.setdefault(org.successor, []).append((int(end.timestamp() * 1000), org.code))
        self._parts, self._revision = found, revision
