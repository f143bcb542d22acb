"""Who may do what in the cluster: one role that writes, one reader a province or ministry, one administrator; and their API keys.

    govsoc-writer          the three processes: reads and writes documents of everything of ours, to the audit only adds; deletes no
                           index, changes no template; sees the state of the cluster, and so the names of all indices
    govsoc-reader-<unit>   dashboards of one province or ministry: reads its own indices and the texts of the rules, and does not
                           learn that others exist; incidents are not among them, as one may be of several
    govsoc-admin           templates and retention: everything with our indices, nothing with those of others

Roles are for people and for single sign-on; each key carries the same privileges and is named as its role. Everything compares
first: a second run changes nothing. All of this needs `manage_security`, which is the cluster's administrator's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from elasticsearch import ApiError, NotFoundError

from soc.store.elastic import names
from soc.store.elastic.client import Client
from soc.store.elastic.digest import digest
from soc.store.elastic.names import PREFIX

Json = dict[str, Any]

WRITER, ADMIN = f"{PREFIX}-writer", f"{PREFIX}-admin"
_READ = ("read", "view_index_metadata")
_MAKE = ("create_index", "maintenance")  # the latter: to have what was written found at once
_AUDIT = f"{PREFIX}-audit-*"
# What the three processes do; `soc doctor` asks whether their key may. Privileges on several patterns add up, so the audit, which is
# never changed, must not be under a wider one.
WRITER_CLUSTER = ("monitor", "manage_own_api_key")
WRITER_INDICES: Mapping[str, Sequence[str]] = {
    **{f"{PREFIX}-{kind}-*": (*_READ, *_MAKE, "write") for kind in ("events", "findings", "alerts", "triage")},
    **dict.fromkeys(
        (
            names.INCIDENTS,
            names.SOURCES,
            names.DELIVERIES,
            names.ACCOUNTS,
            names.RULES,
            names.HEALTH,
            names.OUTAGES,
            names.HIDDEN,
            names.LEDGER,
        ),
        (*_READ, *_MAKE, "write"),
    ),
    **dict.fromkeys((_AUDIT, names.POLICIES), (*_READ, *_MAKE, "create_doc")),
}
# The name and version of the cluster, which clients of any kind ask first; not its state, which names the indices of all.
_READER_CLUSTER = ("cluster:monitor/main",)


@dataclass(frozen=True, slots=True)
class Key:
    """An API key as it was just made: the only moment at which `encoded` is known."""

    name: str
    encoded: str


def is_on(client: Client) -> bool:
    """Whether the cluster asks who we are at all."""
    try:
        client.security.authenticate()
    except ApiError:  # there is no such address where it is off: 400 or 405. That we may not is another error.
        return False
    return True


def reader(unit: str) -> str:
    return f"{PREFIX}-reader-{unit}"


def roles(units: Iterable[str]) -> dict[str, Json]:
    """Name -> role. `units` as `names.unit` gives them."""
    wanted: dict[str, Json] = {
        WRITER: _role(WRITER_CLUSTER, WRITER_INDICES),
        ADMIN: _role(("monitor", "manage_index_templates", "manage_own_api_key"), {f"{PREFIX}-*": ("all",)}),
    }
    for unit in sorted(set(units)):
        kinds = ("events", "findings", "alerts", "triage")
        indices = [pattern for kind in kinds for pattern in names.patterns_of_unit(kind, unit)]
        wanted[reader(unit)] = _role(_READER_CLUSTER, dict.fromkeys([*indices, names.RULES], _READ))
    return wanted


def _role(cluster: Sequence[str], indices: Mapping[str, Sequence[str]]) -> Json:
    """`indices`: pattern -> privileges."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for pattern, privileges in indices.items():
        alike.setdefault(tuple(privileges), []).append(pattern)
    entries = [{"names": patterns, "privileges": list(privileges)} for privileges, patterns in alike.items()]
    return {"cluster": list(cluster), "indices": entries}


def install_roles(client: Client, units: Iterable[str]) -> list[str]:
    """Put the roles that are missing or different; returns what was changed."""
    changed = []
    for name, role in roles(units).items():
        try:
            there = client.security.get_role(name=name)[name]
        except (NotFoundError, KeyError):
            there = {}
        if _privileges(there) != _privileges(role):
            client.security.put_role(name=name, **role)
            changed.append(f"role {name}")
    return changed


def _privileges(role: Json) -> Json:
    """What counts of a role as the server gives it back."""
    indices = sorted((sorted(entry["names"]), sorted(entry["privileges"])) for entry in role.get("indices", []))
    return {"cluster": sorted(role.get("cluster", [])), "indices": indices}


def make_keys(client: Client, units: Iterable[str], *, days: int | None, renew: bool = False) -> list[Key]:
    """A key for each role that has none that still works and may as much; for every role with `renew`.

    The keys there were go on working until they expire or `revoke_old` is called.
    """
    made = []
    current = {key["name"] for key in _keys(client) if _digest_of(key) == digest(roles(units).get(key["name"]))}
    for name, role in roles(units).items():
        if name in current and not renew:
            continue
        answer = client.security.create_api_key(
            name=name,
            role_descriptors={name: role},
            metadata={"written_by": PREFIX, "digest": digest(role)},
            expiration=f"{days}d" if days else None,
        )
        made.append(Key(name, answer["encoded"]))
    return made


def revoke_old(client: Client) -> list[str]:
    """Revoke every key of ours but the newest of each name; returns what was revoked."""
    newest: dict[str, Json] = {}
    old: list[Json] = []
    for key in sorted(_keys(client), key=lambda key: (key["creation"], key["id"])):
        if earlier := newest.get(key["name"]):
            old.append(earlier)
        newest[key["name"]] = key
    if old:
        client.security.invalidate_api_key(ids=[key["id"] for key in old])
    return [f"key {key['name']} ({key['id']})" for key in old]


def _keys(client: Client) -> list[Json]:
    """Our keys that work."""
    found: list[Json] = client.security.get_api_key(name=f"{PREFIX}-*", active_only=True)["api_keys"]
    return [key for key in found if (key.get("metadata") or {}).get("written_by") == PREFIX]


def _digest_of(key: Json) -> str:
    return str((key.get("metadata") or {}).get("digest"))
