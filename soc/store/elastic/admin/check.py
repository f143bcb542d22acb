"""What `soc doctor` looks at in the cluster: its version and health, who may reach it, our key, blocks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from elasticsearch import BadRequestError

from soc.model.calendar import DAY_MS
from soc.store.elastic.admin import security, setup
from soc.store.elastic.client import Client
from soc.store.elastic.explain import NotAllowed
from soc.store.elastic.names import PREFIX

Json = dict[str, Any]

OLDEST = (8, 15)  # before, fields could not be flat and documents nested at once
TESTED = "8.19"
_SOON_DAYS = 30


@dataclass(frozen=True, slots=True)
class Fault:
    """`bad`: it keeps something from working; else it is worth knowing."""

    bad: bool
    found: str
    advice: str


def faults(client: Client, now: int) -> Iterator[Fault]:
    """What is wrong; nothing when all is well. `now`: ms since 1970. Raises `StoreUnavailable` and `Busy`."""
    for look in (_health, _versions, _blocks, _strangers):
        with suppress(NotAllowed):  # that a privilege is missing is said below
            yield from look(client)
    if not security.is_on(client):
        yield Fault(
            False, "security is off: whoever reaches it may read and delete everything", "xpack.security.enabled: true"
        )
        return
    yield from _privileges(client)
    yield from _own_key(client, now)


def _health(client: Client) -> Iterator[Fault]:
    health = client.cluster.health(index=f"{PREFIX}-*")
    if health["status"] == "red":
        found = f"the cluster is red: {health['unassigned_shards']} shards of ours are nowhere, and what is in them cannot be found"
        yield Fault(
            True,
            found,
            "start the node that is missing, or restore the snapshot of the indices that `_cat/indices` shows red",
        )
    elif health["status"] == "yellow":
        found = f"the cluster is yellow: {health['unassigned_shards']} copies of our shards are missing"
        yield Fault(False, found, "start the node that is missing, before another one fails")


def _versions(client: Client) -> Iterator[Fault]:
    nodes: Json = client.nodes.info(filter_path="nodes.*.version").body["nodes"]
    for version in sorted({str(node["version"]) for node in nodes.values()}):
        number = tuple(int(part) for part in version.split("-")[0].split(".")[:2])
        if number < OLDEST:
            yield Fault(
                True, f"a node runs Elasticsearch {version}", f"upgrade to {TESTED}; 8.15 is the oldest that will do"
            )
        elif version.split(".")[0] != "8":
            yield Fault(False, f"a node runs Elasticsearch {version}", f"govsoc is tested with {TESTED}")


def _blocks(client: Client) -> Iterator[Fault]:
    settings = client.indices.get_settings(index=f"{PREFIX}-*", name="index.blocks.*", flat_settings=True)
    blocked = sorted(index for index, body in settings.items() if "true" in body["settings"].values())
    if blocked:
        found = f"{len(blocked)} indices are read-only, such as {blocked[0]}"
        yield Fault(
            True,
            found,
            "is a disk of the cluster nearly full? Free space, or `soc retention`; then the block goes by itself",
        )


def _strangers(client: Client) -> Iterator[Fault]:
    if strange := setup.strangers(client):
        found = f"{len(strange)} indices were made before our templates, such as {strange[0]}: searches may miss what is in them"
        yield Fault(True, found, "delete them if they are empty; else restore or copy what is in them into new ones")


def _privileges(client: Client) -> Iterator[Fault]:
    wanted = [{"names": [on], "privileges": list(may)} for on, may in security.WRITER_INDICES.items()]
    answer = client.security.has_privileges(cluster=["monitor"], index=wanted)
    granted = [*answer["cluster"].items(), *(one for may in answer["index"].values() for one in may.items())]
    if lacking := list(dict.fromkeys(name for name, may in granted if not may)):
        found = f"{answer['username']} lacks privileges: {', '.join(lacking)}"
        yield Fault(True, found, f"use the key of the role {security.WRITER}: soc setup elasticsearch")


def _own_key(client: Client, now: int) -> Iterator[Fault]:
    who: Json = client.security.authenticate().body
    if who["username"] == "elastic" and who["authentication_type"] != "api_key":
        yield Fault(
            False,
            "the settings hold the superuser",
            "use an API key, which may only what is needed: soc setup elasticsearch",
        )
    if not (id_ := who.get("api_key", {}).get("id")):
        return
    try:
        keys: list[Json] = client.security.get_api_key(id=id_, owner=True)["api_keys"]
    except (NotAllowed, BadRequestError):  # a key of somebody's own making
        return
    for key in keys:
        if (expires := key.get("expiration")) and expires - now < _SOON_DAYS * DAY_MS:
            found = f"the API key expires in {max(expires - now, 0) // DAY_MS} days"
            yield Fault(False, found, "soc setup elasticsearch --renew-keys")
