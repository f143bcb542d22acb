"""What of the queue a person has chosen to see: the same on its page and where they decide for all of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import Depends, Query

from api.schemas import Level, Name
from soc.model.alert import Status
from soc.model.rule import Stage
from soc.store.base import AlertFilter


@dataclass(frozen=True, slots=True)
class Chosen:
    """As it stands in the address. Empty does not filter; what is snoozed is hidden among open alerts unless `snoozed`."""

    status: Status | Literal["all"]
    level: str
    org: str
    text: str
    rule: str
    assignee: str
    snoozed: str
    stage: str

    @property
    def hides_snoozed(self) -> bool:
        return not self.snoozed and self.status in (Status.NEW, Status.ACKNOWLEDGED)

    @property
    def narrowed(self) -> bool:
        return any((self.level, self.org, self.text, self.rule, self.assignee))

    def where(self, now: int) -> AlertFilter:
        """But for the text (`now`: ms)."""
        return AlertFilter(
            status=None if self.status == "all" else self.status,
            level=self.level or None,
            org=self.org or None,
            rule_id=self.rule or None,
            assignee=self.assignee or None,
            awake_at=now if self.hides_snoozed else None,
            stage=Stage.TEST if self.stage else Stage.LIVE,
        )

    def address(self, path: str = "/alerts", **changes: str | None) -> str:
        """The page with this choice, or with another one, from its beginning."""
        return f"{path}?" + urlencode({name: value for name, value in (asdict(self) | changes).items() if value})


def _chosen(
    status: Status | Literal["all"] = Status.NEW,
    level: Level | Literal[""] = "",
    org: Annotated[Name, Query()] = "",
    text: Annotated[Name, Query()] = "",
    rule: Annotated[Name, Query()] = "",
    assignee: Annotated[Name, Query()] = "",
    snoozed: Literal["", "1"] = "",
    stage: Literal["", "live", "test"] = "",
) -> Chosen:
    return Chosen(status, level, org, text, rule, assignee, snoozed, "test" if stage == "test" else "")


Filtered = Annotated[Chosen, Depends(_chosen)]
