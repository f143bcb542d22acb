"""What people said is harmless, for the observer."""

from __future__ import annotations

from dataclasses import replace

import structlog

from soc.errors import ConfigError
from soc.model.finding import alert_id_after
from soc.model.harmless import HarmlessEntity, HarmlessSeries, Said, covering, narrowed, said_of
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
        self._closed: dict[str, int] = {}  # alerts that are closed by what was said of their entity, with its version

    def strength(self, series: str) -> float:
        return self._strengths.get(series, 0.0)

    def judged(self, one: Unusual) -> Unusual:
        """The same, or that it is harmless and in no alert; or in another one where its episode's is closed by what was said: nobody would
        look there."""
        said = self._entities.get((one.people, one.org, one.entity))
        covers = covering(one, said) if said else ()
        if covers:
            return replace(one, harmless=covers, alert="")
        alert = one.alert
        while alert in self._closed:
            alert = alert_id_after(alert, self._closed[alert])
        return one if alert == one.alert else replace(one, alert=alert)

    def load(self) -> None:
        """Raises what the store raises; then nothing has changed."""
        revision = self._policies.revision()
        if revision == self._revision:
            return
        strengths: dict[str, float] = {}
        entities: dict[tuple[str, str, str], list[Said[HarmlessEntity]]] = {}
        closed: dict[str, int] = {}
        for policy in self._policies.list(PolicyKind.HARMLESS):
            try:
                said = said_of(policy)
            except ConfigError as error:
                log.warning("a policy cannot be read", reason=str(error))
                continue
            if of_series := narrowed(said, HarmlessSeries):
                strengths[of_series.harmless.id] = of_series.harmless.signed
            elif of_entity := narrowed(said, HarmlessEntity):
                entities.setdefault(of_entity.harmless.of, []).append(of_entity)
                if of_entity.harmless.by_verdict:
                    closed[of_entity.harmless.alert] = policy.version
        for found in entities.values():
            found.sort(key=lambda said: (-said.at, said.harmless.id))
        self._strengths, self._entities, self._closed, self._revision = strengths, entities, closed, revision
