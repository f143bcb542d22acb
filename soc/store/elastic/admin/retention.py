"""Deleting what is older, or more, than is to be kept: always whole indices, which costs nothing and frees the disk at once.

Alerts, triage, incidents, sources and accounts are kept. The index of the running period is never deleted. What has no period, because its
time is unknown, is never old: only the limits of the quarantine count for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from elasticsearch import NotFoundError

from soc.model.calendar import DAY_MS
from soc.store.elastic.client import Client
from soc.store.elastic.names import CLASSES, OTHER, PREFIX, QUARANTINE, Parts, parts

# What has a limit of its own: the classes of events, and two kinds.
KINDS = (*CLASSES, OTHER, QUARANTINE, "findings", "audit")


@dataclass(frozen=True, slots=True)
class Limit:
    """0 is no limit."""

    days: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Index:
    """`bytes`: on disk, copies included; `created`: ms since 1970."""

    name: str
    bytes: int
    documents: int
    created: int


@dataclass(frozen=True, slots=True)
class Deletion:
    index: Index
    reason: str


def indices(client: Client) -> list[Index]:
    """All of ours. Needs the privilege to monitor them."""
    columns = "index,store.size,docs.count,creation.date"
    rows: Any = client.cat.indices(
        index=f"{PREFIX}-*", format="json", bytes="b", h=columns, expand_wildcards="all"
    ).body
    return [
        Index(row["index"], int(row["store.size"] or 0), int(row["docs.count"] or 0), int(row["creation.date"]))
        for row in rows
    ]


def plan(there: Iterable[Index], limits: Mapping[str, Limit], now: int) -> list[Deletion]:
    """What is to go, oldest first within each kind. `now`: ms since 1970."""
    by_kind: dict[str, list[tuple[int, Index, Parts]]] = {kind: [] for kind in KINDS}
    for index in there:
        if (named := parts(index.name)) and (kind := named.data_class or named.kind) in by_kind:
            if named.end is None:
                # Without a period (undated findings, too) it is written for ever: it goes by the limits of the quarantine, whose age
                # has none by default, and is as old as its index.
                by_kind[QUARANTINE].append((index.created, index, named))
            else:
                by_kind[kind].append((named.end, index, named))
    doomed: list[Deletion] = []
    for kind, found in by_kind.items():
        doomed += _of_kind(sorted(found, key=lambda one: (one[0], one[1].name)), limits.get(kind, Limit()), now)
    return doomed


def _of_kind(found: list[tuple[int, Index, Parts]], limit: Limit, now: int) -> list[Deletion]:
    doomed: list[Deletion] = []
    size = sum(index.bytes for _, index, _ in found)
    for end, index, named in found:
        if named.end is not None and end > now:
            continue
        if limit.days and end + limit.days * DAY_MS <= now:
            word = "ended" if named.end is not None else "was begun"
            doomed.append(Deletion(index, f"{word} on {_date(end)}, more than {limit.days} days ago"))
        elif limit.bytes and size > limit.bytes:
            doomed.append(Deletion(index, f"{size:,} bytes of its kind, {limit.bytes:,} are allowed"))
        else:
            continue
        size -= index.bytes
    return doomed


def delete(client: Client, doomed: Deletion) -> bool:
    """False when it was gone already."""
    try:
        client.indices.delete(index=doomed.index.name)
    except NotFoundError:
        return False
    return True


def _date(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d")
