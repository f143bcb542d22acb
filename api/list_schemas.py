"""The shapes of lists of indicators in the JSON API."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from api.indicators import MAX_TEXT, Change, Kept, Which
from api.schemas import In, Name
from rules.lists.pack import Entry
from rules.lists.read import Format, Reading
from soc.model.event import iso
from soc.model.indicator import ListType
from soc.model.tuning import MAX_REASON

Reason = Annotated[str, Field(min_length=1, max_length=MAX_REASON)]
Org = Annotated[Name, Field(description="agency code; empty: for the events of all organisations")]
Value = Annotated[str, Field(min_length=1, max_length=2048)]


class ListOut(BaseModel):
    name: str = Field(description="`%name%` in rules")
    org: str = Field(description="agency code; empty: for the events of all organisations")
    type: ListType
    entries: int
    source: str
    file: str = Field(description="hash of what is in it; findings keep it as `govsoc.list.version`")
    version: int
    by: str
    at: str
    reason: str

    @classmethod
    def of(cls, kept: Kept) -> ListOut:
        one = kept.record
        return cls(
            name=one.name,
            org=one.org,
            type=one.type,
            entries=one.entries,
            source=one.source,
            file=one.file,
            version=kept.version,
            by=kept.by,
            at=iso(kept.at),
            reason=kept.reason,
        )


class EntryOut(BaseModel):
    value: str
    until: str | None = Field(description="from then on it does not count; null: it has no end")
    note: str

    @classmethod
    def of(cls, entry: Entry) -> EntryOut:
        return cls(value=entry.value, until=iso(entry.until * 1000) if entry.until else None, note=entry.note)


class EntriesIn(In):
    """Entries as text, one a line, or as a file of `format`."""

    org: Org = ""
    type: ListType
    text: str = Field(min_length=1, max_length=MAX_TEXT)
    format: Format = Format.TEXT
    column: Name = Field("", description="of CSV: its name, or its number from 1")
    replace: bool = Field(False, description="the list is to hold nothing else")
    days: int = Field(0, ge=0, le=3650, description="the entries count for so long; 0: without end")
    source: str = Field("", max_length=400, description="where they come from, such as a URL")
    reason: Reason
    dry_run: bool = Field(False, description="only say what would change")


class RemoveIn(In):
    org: Org = ""
    entries: list[Value] = Field(default_factory=list, max_length=1000, description="none: the whole list")
    reason: Reason

    def which(self, name: str) -> Which:
        return Which(name, self.org)


class RefusedLine(BaseModel):
    line: int = Field(description="of the text, or number of the object in JSON")
    reason: str


class ListChangeOut(BaseModel):
    entries: int
    added: int
    removed: int
    first_added: list[str]
    first_removed: list[str]
    refused: int = Field(0, description="lines that are no entries")
    refused_lines: list[RefusedLine] = Field(default_factory=list, description="the first of them")
    others: int = Field(0, description="indicators of other types")

    @classmethod
    def of(cls, change: Change, reading: Reading | None = None) -> ListChangeOut:
        read = reading or Reading()
        return cls(
            entries=change.record.entries,
            added=change.added,
            removed=change.removed,
            first_added=list(change.first_added),
            first_removed=list(change.first_removed),
            refused=read.bad,
            refused_lines=[RefusedLine(line=at, reason=reason) for at, reason in read.faults],
            others=read.others,
        )
