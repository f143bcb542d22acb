"""The shapes of service levels in the JSON API."""

from __future__ import annotations

from pydantic import BaseModel, Field

from soc.model.event import iso
from soc.model.service_level import Blame, Burning, Part, ServiceLevel


class PartOut(BaseModel):
    kind: Blame = Field(description="`upstream`: who answers; `local`: who asks, or where it was asked")
    name: str
    total: int
    bad: int
    burn: float = Field(description="how many times faster than allowed the budget burned in the last hour")

    @classmethod
    def of(cls, part: Part) -> PartOut:
        return cls(kind=part.kind, name=part.name, total=part.total, bad=part.bad, burn=part.burn)


class BurningOut(BaseModel):
    id: str
    severity: str = Field(description="`page`: somebody has to look now; `ticket`: in office hours")
    since: str
    blame: Blame = Field(description="whose fault it is, as far as the counts can tell")
    upstream: list[str]
    local: list[str]
    reason: dict[str, str] = Field(description="why, by language")

    @classmethod
    def of(cls, burning: Burning) -> BurningOut:
        place = burning.place
        return cls(
            id=burning.id,
            severity=burning.severity,
            since=iso(burning.since),
            blame=place.blame,
            upstream=list(place.upstream),
            local=list(place.local),
            reason=dict(burning.reason),
        )


class ServiceLevelOut(BaseModel):
    org: str
    system: str
    name: str
    titles: dict[str, str]
    measure: str = Field(description="`success` or `latency`: the share that worked, or that was quick enough")
    objective: float = Field(description="the share that should be good, 0..1")
    days: int = Field(description="the period, sliding")
    at: str
    since: str = Field(description="the oldest event that counts")
    total: int
    bad: int
    ratio: float | None = Field(
        description="the share that was good; null: nothing happened, which is unknown and not bad"
    )
    budget_left: float | None = Field(description="share of the error budget; below 0 it is overdrawn")
    burn: float | None = Field(description="how many times faster than allowed it burned in the last hour")
    uncounted: int = Field(description="events whose parts are beyond what is counted apart")
    parts: list[PartOut] = Field(description="those that fail most, 20 at most")
    burning: BurningOut | None = Field(description="the alarm that is on; of the whole system")
    never_good: bool = Field(
        description="no event was ever good, of whichever organisation: it has been down since its first event, or `good`"
        " finds nothing. Before the first good event it does not alarm"
    )

    @classmethod
    def of(cls, level: ServiceLevel) -> ServiceLevelOut:
        return cls(
            org=level.org,
            system=level.system,
            name=level.name,
            titles=dict(level.titles),
            measure=level.measure,
            objective=level.objective,
            days=level.days,
            at=iso(level.at),
            since=iso(level.since),
            total=level.total,
            bad=level.bad,
            ratio=level.ratio,
            budget_left=level.budget_left,
            burn=level.burn,
            uncounted=level.uncounted,
            parts=[PartOut.of(part) for part in level.parts],
            burning=BurningOut.of(level.burning) if level.burning else None,
            never_good=level.never_good,
        )
