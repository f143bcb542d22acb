"""What people say is harmless: so far off of a series, such behaviour of an entity. Said of an anomaly or an item, or by a verdict on its
alert (`verdicts.py`); listed, and taken back."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from api.errors import Refused
from soc.errors import ConfigError, NotFound
from soc.model.account import Account
from soc.model.anomaly import Anomaly
from soc.model.harmless import (
    TAKEN_BACK,
    Harmless,
    HarmlessEntity,
    HarmlessSeries,
    Said,
    Subject,
    behaviour,
    beyond,
    narrowed,
    said_of,
)
from soc.model.org import Scope
from soc.model.policy import Policy, PolicyKind
from soc.model.unusual import Unusual
from soc.store.anomalies import SqliteAnomalies
from soc.store.base import AuditEntry, Stores
from soc.store.unusual import UnusualStore

_BY_VERDICT = re.compile(r"verdict on alert [0-9a-f]+: benign")


class Ground(Protocol):
    """Where it is said, and what it is said of. `clock`: ms since 1970."""

    @property
    def stores(self) -> Stores: ...

    @property
    def anomalies(self) -> SqliteAnomalies: ...

    @property
    def unusual(self) -> UnusualStore: ...

    @property
    def clock(self) -> Callable[[], int]: ...


class Watched(NamedTuple):
    """What the observer has found."""

    anomalies: SqliteAnomalies
    unusual: UnusualStore


@dataclass(frozen=True, slots=True)
class Standing:
    """The `Ground` of who is not the API."""

    stores: Stores
    anomalies: SqliteAnomalies
    unusual: UnusualStore
    clock: Callable[[], int]


def said(ground: Ground, series: str) -> Said[HarmlessSeries] | None:
    """None where nothing is said of it, or it was withdrawn."""
    try:
        return narrowed(readable(ground.stores.policies.get(PolicyKind.HARMLESS, series)), HarmlessSeries)
    except NotFound:
        return None


def all_said(ground: Ground, scope: Scope, kind: type[Subject]) -> list[Said[Subject]]:
    """The latest first."""
    found = [narrowed(readable(policy), kind) for policy in ground.stores.policies.list(PolicyKind.HARMLESS)]
    mine = [one for one in found if one is not None and scope.allows(one.harmless.org)]
    return sorted(mine, key=lambda one: (-one.at, one.harmless.id))


def lay_down(ground: Ground, account: Account, new: Subject, reason: str) -> Said[Subject]:
    """Such is harmless from now on, see `of_anomaly` and `of_item`. Raises `Refused` when that is laid down already."""
    _check_own_words(reason)
    return put_down(ground, account, new, reason)


def put_down(ground: Ground, account: Account, new: Subject, reason: str, since: int | None = None) -> Said[Subject]:
    """As `lay_down`, by a verdict. `since`: not where somebody has spoken of it from then on (ms)."""
    versions = history(ground, new.id)
    if since is not None and spoken_at(versions) >= since:
        raise Refused("somebody has spoken of this since")
    before = readable(versions[-1]) if versions else None
    if before is not None and before.harmless.includes(new):
        raise Refused("as much of this is harmless already")
    put(ground, account, new, len(versions) + 1, "harmless", reason)
    return Said(new, len(versions) + 1, account.name, ground.clock(), reason)


def withdraw(ground: Ground, account: Account, id_: str, reason: str) -> None:
    """As if nobody had said it. Raises `NotFound`, also outside the account's scope."""
    _check_own_words(reason)
    versions = history(ground, id_)
    now = readable(versions[-1]) if versions else None
    if now is None or not account.scope.allows(now.harmless.org):
        raise NotFound(f"nothing of {id_} is said to be harmless")
    put(ground, account, now.harmless, now.version + 1, "withdraw", reason, gone=True)


def history(ground: Ground, id_: str) -> list[Policy]:
    """Oldest first."""
    return ground.stores.policies.history(PolicyKind.HARMLESS, id_)


def readable(policy: Policy) -> Said[Harmless] | None:
    """None where it was withdrawn, or says something else."""
    try:
        return said_of(policy)
    except ConfigError:
        return None


def spoken_at(versions: Sequence[Policy]) -> int:
    """When a person last said something of it themselves (ms); -1: never."""
    return max((one.at for one in versions if not _ours(one.reason)), default=-1)


def by_verdict(alert_id: str) -> str:
    return f"verdict on alert {alert_id}: benign"


def put(
    ground: Ground, account: Account, one: Harmless, version: int, act: str, reason: str, *, gone: bool = False
) -> None:
    """The next version and its line in the audit trail; nothing is checked. `gone`: it is harmless no more."""
    now, body = ground.clock(), None if gone else one.body()
    detail = f"{one}: {reason}"[:2000]
    ground.stores.audit.record(AuditEntry(now, account.name, f"{one.what}.{act}", one.id, detail))
    ground.stores.policies.put(Policy(PolicyKind.HARMLESS, one.id, version, body, account.name, now, reason))


def of_anomaly(anomaly: Anomaly) -> HarmlessSeries:
    low = anomaly.actual < anomaly.expected
    return HarmlessSeries(anomaly.series, anomaly.definition, anomaly.org, beyond(anomaly.strength), anomaly.alert, low)


def of_item(one: Unusual) -> HarmlessEntity:
    return behaviour(one.id, one.alert, [one])


def _ours(reason: str) -> bool:
    """Verdicts write so."""
    return bool(TAKEN_BACK.fullmatch(reason) or _BY_VERDICT.fullmatch(reason))


def _check_own_words(reason: str) -> None:
    if _ours(reason):
        raise Refused("verdicts write such a reason: say it in other words")
