"""The shapes of notifications in the JSON API. A route's secret is in the answer to making it and in no other."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field

from api.schemas import In, Level
from soc.model.delivery import Delivery, DeliveryState
from soc.model.event import iso
from soc.notify.route import (
    LONGEST_DIGEST_MINUTES,
    LONGEST_URL,
    MOST_ADDRESSES,
    MOST_AN_HOUR,
    MOST_ORGS,
    Channel,
    Route,
)

Language = Literal["vi", "en"]
RouteName = Annotated[str, Field(min_length=1, max_length=100)]
Address = Annotated[str, Field(min_length=3, max_length=320)]
Addresses = Annotated[list[Address], Field(max_length=MOST_ADDRESSES, description="where mails go")]
Url = Annotated[str, Field(max_length=LONGEST_URL, description="where a webhook goes: https, on the Internet")]
Org = Annotated[str, Field(min_length=1, max_length=66)]
Orgs = Annotated[list[Org], Field(max_length=MOST_ORGS, description="agency codes; `H42.*` is H42 and all below it")]
PerHour = Annotated[int, Field(ge=1, le=MOST_AN_HOUR, description="messages an hour; what is more goes together")]
Digest = Annotated[int, Field(ge=0, le=LONGEST_DIGEST_MINUTES, description="minutes to collect alerts for one message")]
Version = Annotated[int, Field(ge=1, le=2**31, description="the route's `version` that you looked at")]


class RouteIn(In):
    name: RouteName
    channel: Channel
    addresses: Addresses = Field(default_factory=list)
    url: Url = ""
    orgs: Orgs | None = Field(None, description="left out: all that you may see")
    level: Level = Field("high", description="the lowest level that is told")
    language: Language = "vi"
    per_hour: PerHour = 20
    digest_minutes: Digest = 0
    enabled: bool = True


class RouteChangeIn(In):
    """What to change; leave out what stays."""

    version: Version
    name: RouteName | None = None
    addresses: Addresses | None = None
    url: Url | None = None
    orgs: Orgs | None = None
    level: Level | None = None
    language: Language | None = None
    per_hour: PerHour | None = None
    digest_minutes: Digest | None = None
    enabled: bool | None = None


class RouteOut(BaseModel):
    id: str
    name: str
    channel: Channel
    addresses: list[str]
    url: str
    orgs: list[str]
    level: str
    language: str
    per_hour: int
    digest_minutes: int
    enabled: bool
    version: int = Field(description="send it with a change")
    by: str = Field(description="the account that laid it down as it is")
    orphaned: bool = Field(description="that account is gone or may no longer lay it down; any change takes it over")

    @classmethod
    def of(cls, route: Route, *, orphaned: bool = False) -> Self:
        return cls(
            id=route.id,
            name=route.name,
            channel=route.channel,
            addresses=list(route.addresses),
            url=route.url,
            orgs=list(route.orgs),
            level=route.level,
            language=route.language,
            per_hour=route.per_hour,
            digest_minutes=route.digest_minutes,
            enabled=route.enabled,
            version=route.version,
            by=route.by,
            orphaned=orphaned,
        )


class RouteMadeOut(RouteOut):
    secret: str | None = Field(None, description="signs what a webhook gets; shown this once")


class TestOut(BaseModel):
    __test__ = False

    arrived: bool
    answer: str = Field(description="what the other side said, or why it was not reached")


class DeliveryOut(BaseModel):
    id: str
    route_id: str
    alert_id: str
    org: str
    state: DeliveryState
    created_at: str
    attempts: int
    next_at: str | None = Field(description="null unless it is pending")
    error: str = Field(description="what the last try said")
    sent_at: str | None

    @classmethod
    def of(cls, delivery: Delivery) -> DeliveryOut:
        return cls(
            id=delivery.id,
            route_id=delivery.route_id,
            alert_id=delivery.alert_id,
            org=delivery.org,
            state=delivery.state,
            created_at=iso(delivery.created_at),
            attempts=delivery.attempts,
            next_at=iso(delivery.next_at) if delivery.state is DeliveryState.PENDING else None,
            error=delivery.error,
            sent_at=iso(delivery.sent_at) if delivery.sent_at is not None else None,
        )
