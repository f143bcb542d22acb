"""What people said is harmless, for the observer."""

from __future__ import annotations

from dataclasses import replace

import structlog

from soc.errors import ConfigError
from soc.model.harmless import HarmlessEntity, HarmlessSeries, Said, covering, harmless_of
from soc.model.policy import PolicyKind
from soc.model.unusual import Unusual
from soc.store.base import PolicyStore

log = structlog.get_logger("observer")


class KnownHarmless:
    """What people said is harmless, as last known."""

    def __init__(self, policies: PolicyStore) -> None:
        self._policies = policies
        self._revision: int | None = None
        self._strengths: dict[str, float] = {}
        self._entities: dict[tuple[str, str, str], list[Said[HarmlessEntity]]] = {}

    def strength(self, series: str) -> float:
        return self._strengths.get(series, 0.0)

    def judged(self, one: Unusual) -> Unusual:
        """The same, or that it is harmless and in no alert."""
        said = self._entities.get((one.people, one.org, one.entity))
        covers = covering(one, said) if said else ()
        return replace(one, harmless=covers, alert="") if covers else one

    def load(self) -> None:
        """Raises what the store raises; then nothing has changed."""
        revision = self._policies.revision()
        if revision == self._revision:
            return
        strengths: dict[str, float] = {}
        entities: dict[tuple[str, str, str], list[Said[HarmlessEntity]]] = {}
        for policy in self._policies.list(PolicyKind.HARMLESS):
            try:
                what = harmless_of(policy)
            except ConfigError as error:
                log.warning("a policy cannot be read", reason=str(error))
                continue
            if isinstance(what, HarmlessSeries):
                strengths[what.id] = what.signed
            else:
                said = Said(what, policy.version, policy.by, policy.at, policy.reason)
                entities.setdefault(what.of, []).append(said)
        for found in entities.values():
            found.sort(key=lambda said: (-said.at, said.harmless.id))
        self._strengths, self._entities, self._revision = strengths, entities, revision
