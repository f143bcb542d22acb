"""What an administrator does to the Elasticsearch of the settings: set it up, and keep it within its limits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from soc.errors import ConfigError
from soc.model.org import EVERYTHING
from soc.service import elastic
from soc.service.process import now_ms
from soc.settings import Retention, Settings
from soc.store.elastic import names
from soc.store.elastic.admin import check, security, setup
from soc.store.elastic.admin.retention import KINDS, Deletion, Index, Limit, delete, indices, plan
from soc.store.elastic.client import Client, NotFoundError, connect
from soc.store.elastic.open import open_stores


@dataclass(frozen=True, slots=True)
class Done:
    """What a setup changed. `secured`: false where the cluster asks nobody who they are."""

    secured: bool
    changed: list[str]
    keys: list[security.Key] = field(default_factory=list)


def administrator(settings: Settings, user: str, password: str) -> Client:
    """A client for whoever administers the cluster, in place of the key in the settings."""
    if not user:
        return elastic.client(settings)
    store = settings.store
    return connect(store.url, ca_file=store.ca_file, user=user, password=password, verify_certs=store.verify_certs)


def set_up(
    client: Client, settings: Settings, orgs: Iterable[str], *, days: int | None, renew: bool, revoke: bool
) -> Done:
    """Templates, and where the cluster has security on, roles and keys. `orgs`: agency codes to make readers for, beside those
    that are known already; `days` until a new key expires."""
    changed = setup.install(client, shards=settings.store.shards, replicas=settings.store.replicas)
    if not security.is_on(client):
        return Done(False, changed)
    units = {names.unit(org) for org in orgs} | known_units(client, settings)
    changed += security.install_roles(client, units)
    keys = security.make_keys(client, units, days=days, renew=renew)
    changed += [f"key {key.name}" for key in keys]
    if revoke:
        changed += [f"revoked {old}" for old in security.revoke_old(client)]
    return Done(True, changed, keys)


def known_units(client: Client, settings: Settings) -> set[str]:
    """The ministries and provinces that have a source, or anything in the store."""
    try:
        there = client.indices.get(index=f"{names.PREFIX}-*", filter_path="*.settings.index.uuid").body
    except NotFoundError:
        there = {}
    units = {named.unit for index in there if (named := names.parts(index)) and named.unit}
    sources = open_stores(client, settings.store.period).sources.list(EVERYTHING)
    return units | {names.unit(source.org) for source in sources}


def faults(settings: Settings) -> list[check.Fault]:
    """What is wrong in the cluster, as far as our key may know. Raises `StoreUnavailable` and `Busy`."""
    return list(check.faults(elastic.client(settings), now_ms()))


def expire(settings: Settings, *, dry_run: bool) -> tuple[list[Index], list[Deletion]]:
    """Delete what the settings do not want kept; returns what there was, and what went of it."""
    if not settings.store.url:
        raise ConfigError("store.url is empty: the embedded store deletes old days by itself (store.keep_days)")
    client = elastic.client(settings)
    there = indices(client)
    doomed = plan(there, _limits(settings.retention), now_ms())
    for one in doomed:
        if not dry_run:
            delete(client, one)
    return there, doomed


def _limits(retention: Retention) -> dict[str, Limit]:
    values = retention.model_dump()
    return {kind: Limit(values[f"{kind}_days"], values[f"{kind}_bytes"]) for kind in KINDS}
