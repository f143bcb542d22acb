"""Snapshots of all our indices: taken while everything runs, restored into a cluster that has none of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from elasticsearch import BadRequestError, NotFoundError

from soc.errors import ConfigError, StoreUnavailable
from soc.store.elastic.client import Client
from soc.store.elastic.names import PREFIX

_OURS = f"{PREFIX}-*"
_POLL_S = 0.5


def check_repository(client: Client, repository: str, location: str | None) -> None:
    """Make sure that the repository can be used. `location`: a folder as the nodes see it, registered under that name.

    Raises `ConfigError`: there is none, or its folder is not one that the nodes allow.
    """
    try:
        if location is not None:
            client.snapshot.create_repository(name=repository, repository=_folder(location), verify=True)
        else:
            client.snapshot.verify_repository(name=repository)
    except NotFoundError:
        raise ConfigError(
            f"Elasticsearch has no snapshot repository {repository}: name one with --repository, or a folder with --location"
        ) from None
    except (BadRequestError, StoreUnavailable) as error:
        if location is None:
            raise
        raise ConfigError(
            f"Elasticsearch cannot use {location} for snapshots: each node needs it in path.repo (elasticsearch.yml), "
            f"as one shared folder that it may write to ({_reason(error)})"
        ) from None


def _folder(location: str) -> dict[str, Any]:
    return {"type": "fs", "settings": {"location": location, "compress": True}}


def _reason(error: Exception) -> str:
    body = getattr(error, "body", None)
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        return " ".join(str(body["error"].get("reason")).split())[:200]
    return str(error)


def take(client: Client, repository: str, name: str, tell: Callable[[int, int], None]) -> list[str]:
    """Take a snapshot; returns the indices in it. `tell`: shards done and in all. Raises `StoreUnavailable` when any part failed."""
    client.snapshot.create(
        repository=repository,
        snapshot=name,
        indices=_OURS,
        include_global_state=False,
        ignore_unavailable=True,
        feature_states=["none"],
        wait_for_completion=False,
    )
    while True:
        [found] = client.snapshot.get(repository=repository, snapshot=name)["snapshots"]
        if found["state"] != "IN_PROGRESS":
            break
        stats = client.snapshot.status(repository=repository, snapshot=name)["snapshots"][0]["shards_stats"]
        tell(stats["done"], stats["total"])
        time.sleep(_POLL_S)
    if found["state"] != "SUCCESS":
        failures = found.get("failures") or [{"reason": found.get("reason", found["state"])}]
        raise StoreUnavailable(f"the snapshot {name} is not whole: {failures[0]['reason']}")
    return sorted(found["indices"])


def ours(client: Client) -> list[str]:
    """Our indices that are there."""
    return sorted(client.indices.get_settings(index=_OURS, name="index.uuid", expand_wildcards="all").body)


def restore(client: Client, repository: str, name: str, tell: Callable[[int, int], None]) -> list[str]:
    """Restore all of a snapshot into a cluster that has none of our indices; returns once every shard is there."""
    try:
        [found] = client.snapshot.get(repository=repository, snapshot=name)["snapshots"]
    except NotFoundError:
        raise ConfigError(f"the repository {repository} of Elasticsearch has no snapshot {name}") from None
    client.snapshot.restore(
        repository=repository,
        snapshot=name,
        indices=_OURS,
        include_global_state=False,
        feature_states=["none"],
        wait_for_completion=False,
    )
    while True:
        health = client.cluster.health(index=_OURS, level="shards", timeout="0s")
        wanted, done = len(found["indices"]), _whole(health.body)
        tell(done, wanted)
        if done >= wanted:
            return sorted(found["indices"])
        time.sleep(_POLL_S)


def _whole(health: Mapping[str, Any]) -> int:
    """Indices whose primary shards all work."""
    return sum(index["status"] in ("green", "yellow") for index in health["indices"].values())


def counts(client: Client) -> dict[str, int]:
    """Documents of each of our indices."""
    client.indices.refresh(index=_OURS)
    return {index: int(client.count(index=index)["count"]) for index in ours(client)}
