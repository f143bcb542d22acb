"""The shapes of surges in the JSON API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, Field

from api.schemas import In, Name
from api.surges import Declared, wanted
from soc.model.event import iso
from soc.model.surge import LEAST_PERCENT, MAX_ORGS, MAX_SERVICES, MOST_PERCENT, Surge
from soc.model.system import SYSTEMS
from soc.model.tuning import MAX_REASON

Factor = Annotated[float, Field(ge=LEAST_PERCENT / 100, le=MOST_PERCENT / 100)]
Reason = Annotated[str, Field(min_length=1, max_length=MAX_REASON)]


class SurgeIn(In):
    """An event: nothing but the volumes expected of what it names changes while it lasts."""

    name: str = Field(min_length=1, max_length=200)
    since: AwareDatetime
    until: AwareDatetime = Field(description="when it is over, not itself; at most 62 days later")
    factor: Factor = Field(description="how many times the usual volume is expected")
    orgs: list[Name] = Field(default_factory=list, max_length=MAX_ORGS, description="agency codes; none: all")
    systems: list[Name] = Field(
        default_factory=list, max_length=len(SYSTEMS), description="such as `portal`; none: all"
    )
    services: list[Name] = Field(
        default_factory=list,
        max_length=MAX_SERVICES,
        description="values of a field by which a series counts, such as LGSP consumers, as they stand in the logs; none: all",
    )
    hours: str = Field("", max_length=20, description="of each day in Viet Nam, such as `07:00-11:30`; empty: all day")
    reason: Reason

    def surge(self) -> Surge:
        """Raises `Refused`."""
        return wanted(
            self.name,
            int(self.since.timestamp() * 1000),
            int(self.until.timestamp() * 1000),
            self.factor,
            orgs=self.orgs,
            systems=self.systems,
            services=self.services,
            daily=self.hours,
        )


class EndIn(In):
    reason: Reason


class SurgeOut(BaseModel):
    id: str
    name: str
    since: str
    until: str
    factor: float = Field(description="how many times the usual volume is expected")
    orgs: list[str] = Field(description="those of yours; none: all organisations")
    systems: list[str]
    services: list[str]
    hours: str
    active: bool = Field(description="whether it is on now, its hours of the day left aside")
    over: bool
    by: str
    at: str
    reason: str
    doubts: list[str] = Field(
        description="what looks like a slip: an organisation of which nothing is known, or a service by which no volume is counted"
    )

    @classmethod
    def of(cls, declared: Declared, now: int, doubts: Iterable[str] = ()) -> SurgeOut:
        surge = declared.surge
        return cls(
            id=surge.id,
            name=surge.name,
            since=iso(surge.since),
            until=iso(surge.until),
            factor=surge.percent / 100,
            orgs=list(surge.orgs),
            systems=list(surge.systems),
            services=list(surge.services),
            hours=written_hours(surge),
            active=surge.since <= now < surge.until,
            over=surge.until <= now,
            by=declared.by,
            at=iso(declared.at),
            reason=declared.reason,
            doubts=list(doubts),
        )


def written_hours(surge: Surge) -> str:
    if not surge.closes:
        return ""
    return "-".join(f"{minute // 60:02d}:{minute % 60:02d}" for minute in (surge.opens, surge.closes))
