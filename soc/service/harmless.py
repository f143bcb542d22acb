"""What people said is harmless, for the observer."""

from __future__ import annotations

import structlog

from soc.errors import ConfigError
from soc.model.harmless import harmless_of
from soc.model.policy import PolicyKind
from soc.store.base import PolicyStore

log = structlog.get_logger("observer")


class KnownHarmless:
    """What people said is harmless, as last known."""

    def __init__(self, policies: PolicyStore) -> None:
        self._policies = policies
        self._revision: int | None = None
        self._strengths: dict[str, float] = {}

    def strength(self, series: str) -> float:
        return self._strengths.get(series, 0.0)

    def load(self) -> None:
        """Raises what the store raises; then nothing has changed."""
        revision = self._policies.revision()
        if revision == self._revision:
            return
        found = {}
        for policy in self._policies.list(PolicyKind.HARMLESS):
            try:
                found[policy.id] = harmless_of(policy).signed
            except ConfigError as error:
                log.warning("a policy cannot be read", reason=str(error))
        self._strengths, self._revision = found, revision
