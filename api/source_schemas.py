"""The shapes of sources, their silences, organisations and coverage in the JSON API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from pydantic import BaseModel, Field, model_validator

from api.coverage import Cell, Row
from api.schemas import In, moment
from soc.model.event import iso
from soc.model.org import Organisation, OrgKind
from soc.model.rule import RuleDoc
from soc.model.silence import LATEST_EXEMPT, LONGEST_LIMIT_MINUTES, Freshness, Outage, Schedule, Standing
from soc.model.source import SourceHealth, Transport
from soc.model.system import SYSTEMS


class SourceOut(BaseModel):
    id: str
    name: str
    org: str
    type: str
    system: str = Field(description="the system whose logs these are: a column of the coverage matrix")
    transport: Transport
    where: list[str]
    zone: str
    enabled: bool
    created_at: str
    state: Freshness
    schedule: Schedule = Field(description="when records are expected")
    limit_minutes: int = Field(description="minutes of expected time without a record after which it is silent")
    silent_at: str | None = Field(description="when it counts as silent, or has since, unless a record arrives")
    exempt_until: str | None = Field(description="the last day on which its silence is allowed")
    reason: str = Field(description="why its silence is allowed")
    last_event: str | None
    last_received: str | None
    records: int
    dead: int = Field(description="records that could not be parsed; they are kept")
    rate: float = Field(description="records/s over the last minute")
    problem: str | None

    @classmethod
    def of(cls, standing: Standing) -> SourceOut:
        source, expected = standing.source, standing.expectation
        health = standing.health or SourceHealth(source.id, None, None, 0, 0, 0.0)
        return cls(
            id=source.id,
            name=source.name,
            org=source.org,
            type=source.type,
            system=standing.system,
            transport=source.transport,
            where=list(source.where),
            zone=source.zone,
            enabled=source.enabled,
            created_at=iso(source.created_at),
            state=standing.state,
            schedule=expected.schedule,
            limit_minutes=expected.limit_minutes,
            silent_at=moment(standing.silent_at),
            exempt_until=str(expected.exempt_until) if expected.exempt_until else None,
            reason=expected.reason,
            last_event=moment(health.last_event),
            last_received=moment(health.last_received),
            records=health.records,
            dead=health.dead,
            rate=health.rate,
            problem=health.problem,
        )


class ExpectationIn(In):
    """What to change; what is left out stays, null goes back to what holds where nobody has said anything."""

    schedule: Schedule | None = Field(None, description="when records are expected")
    limit_minutes: int | None = Field(
        None, ge=1, le=LONGEST_LIMIT_MINUTES, description="minutes of that time without a record"
    )
    exempt_until: date | None = Field(
        None, ge=date(2000, 1, 1), le=LATEST_EXEMPT, description="the last day on which its silence is allowed"
    )
    reason: str | None = Field(None, max_length=400, description="why it is allowed; needed for it")
    system: str | None = Field(None, max_length=20, description="a column of the coverage matrix")

    @model_validator(mode="after")
    def _whole(self) -> ExpectationIn:
        if self.exempt_until and not self.reason:
            raise ValueError("say with `reason` why its silence is allowed: others will ask")
        if self.system is not None and self.system not in SYSTEMS:
            raise ValueError(f"`system` has to be one of {', '.join(SYSTEMS)}")
        return self

    def changes(self) -> Mapping[str, object]:
        return self.model_dump(mode="json", exclude_unset=True)


class BlindOut(BaseModel):
    id: str
    title: str | None = Field(description="null once the rule no longer runs")


class OutageOut(BaseModel):
    id: str
    source: str
    org: str
    since: str = Field(description="when its last record arrived")
    noticed_at: str
    cleared_at: str | None = Field(description="null while it is silent")
    blind: list[BlindOut] = Field(description="rules that no other source of the organisation fed when it was noticed")

    @classmethod
    def of(cls, outage: Outage, rules: Mapping[str, RuleDoc]) -> OutageOut:
        return cls(
            id=outage.id,
            source=outage.source,
            org=outage.org,
            since=iso(outage.since),
            noticed_at=iso(outage.noticed_at),
            cleared_at=moment(outage.cleared_at),
            blind=[BlindOut(id=id_, title=rules[id_].title if id_ in rules else None) for id_ in outage.blind],
        )


class OrganisationOut(BaseModel):
    code: str
    name: str
    name_en: str
    kind: OrgKind
    parent: str | None
    valid_from: str | None = Field(description="first day; null: without bound")
    valid_to: str | None = Field(description="last day; null: it goes on")
    successor: str | None = Field(description="the code that took over")

    @classmethod
    def of(cls, org: Organisation) -> OrganisationOut:
        return cls(
            code=org.code,
            name=org.name,
            name_en=org.name_en,
            kind=org.kind,
            parent=org.parent,
            valid_from=str(org.valid_from) if org.valid_from else None,
            valid_to=str(org.valid_to) if org.valid_to else None,
            successor=org.successor,
        )


class CellOut(BaseModel):
    state: Freshness = Field(description="the worst of its sources")
    states: dict[Freshness, int]
    blind: list[str] = Field(description="ids of the rules that its silence blinds")

    @classmethod
    def of(cls, cell: Cell) -> CellOut:
        return cls(state=cell.state, states=dict(cell.states), blind=list(cell.blind))


class RowOut(BaseModel):
    org: str
    name: str | None = Field(description="null: the directory does not know this code")
    kind: OrgKind | None
    parent: str | None
    successor: str | None = Field(description="what holds in place of an organisation that has ended")
    communes: int = Field(description="communes that belong to it and that you may see")
    uncovered: int = Field(description="those of them without any source; they have no row")
    cells: dict[str, CellOut] = Field(description="by system; a system without a source is not there")

    @classmethod
    def of(cls, row: Row) -> RowOut:
        org = row.organisation
        return cls(
            org=row.org,
            name=org.name if org else None,
            kind=org.kind if org else None,
            parent=org.parent if org else None,
            successor=row.successor,
            communes=row.communes,
            uncovered=row.uncovered,
            cells={system: CellOut.of(cell) for system, cell in row.cells.items()},
        )


class CoverageOut(BaseModel):
    systems: list[str]
    items: list[RowOut]
