"""What has to be in the cluster before anything is written: templates, and in indices that are there the fields they lack.

Everything compares first: a second run changes nothing. Comparing needs no more than `monitor`, so that the writer's key can say
what is missing though only an administrator can put it right.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from soc.store.elastic import names
from soc.store.elastic.admin import layout
from soc.store.elastic.client import Client
from soc.store.elastic.events import mapping
from soc.store.elastic.names import PREFIX

Json = dict[str, Any]


def install(client: Client, *, shards: int = 1, replicas: int = 1) -> list[str]:
    """Put every template that is missing or older; returns what was changed, one line each, empty when nothing was."""
    changed: list[str] = []
    components = mapping.component_templates()
    there = _there(client)
    for name in _outdated(there.components, components):
        client.cluster.put_component_template(name=name, **components[name])
        changed.append(f"component template {name}")
    templates = mapping.templates(shards, replicas) | layout.templates(replicas)
    for name in _outdated(there.templates, templates):
        client.indices.put_index_template(name=name, **templates[name])
        changed.append(f"index template {name}")
    for index, fields in _lacking(client, templates).items():
        client.indices.put_mapping(index=index, properties=fields)
        changed.append(f"{len(fields)} new fields in index {index}")
    return changed


def missing(client: Client, *, shards: int = 1, replicas: int = 1) -> list[str]:
    """What `install` would change."""
    templates = mapping.templates(shards, replicas) | layout.templates(replicas)
    there = _there(client)
    return [
        *(f"component template {name}" for name in _outdated(there.components, mapping.component_templates())),
        *(f"index template {name}" for name in _outdated(there.templates, templates)),
        *(f"{len(fields)} new fields in index {index}" for index, fields in _lacking(client, templates).items()),
    ]


def _outdated(there: Mapping[str, str], wanted: Mapping[str, Json]) -> list[str]:
    return [name for name, body in wanted.items() if there.get(name) != body["_meta"]["digest"]]


def absent(client: Client) -> list[str]:
    """Templates of which not even an older form is there: what is written without them is kept wrongly for good."""
    there = _there(client)
    wanted = mapping.templates() | layout.templates()
    return [
        *(f"component template {name}" for name in mapping.component_templates() if name not in there.components),
        *(f"index template {name}" for name in wanted if name not in there.templates),
    ]


class _There(NamedTuple):
    """Digests of the templates in the cluster that we wrote, by name."""

    components: Mapping[str, str]
    templates: Mapping[str, str]


def _there(client: Client) -> _There:
    """From the state of the cluster, which `monitor` may read: the interfaces of templates want the privilege to change them."""
    kept = [f"metadata.{kind}.{kind}.{PREFIX}-*._meta.digest" for kind in ("component_template", "index_template")]
    metadata: Json = client.cluster.state(metric="metadata", filter_path=kept).body.get("metadata", {})

    def digests(kind: str) -> dict[str, str]:
        return {name: body["_meta"]["digest"] for name, body in metadata.get(kind, {}).get(kind, {}).items()}

    return _There(digests("component_template"), digests("index_template"))


def strangers(client: Client) -> list[str]:
    """Indices with our names that were made without our templates: they cannot be searched rightly, nor put right."""
    return [index for index, body in _mappings(client).items() if _is_strange(index, body)]


def _lacking(client: Client, templates: Mapping[str, Json]) -> dict[str, Json]:
    """Index -> the fields that its template has by now and it has not. A field's type never changes in an index that is there."""
    wanted = {
        name: body["template"].get("mappings", mapping.mappings())["properties"] for name, body in templates.items()
    }
    lacking: dict[str, Json] = {}
    for index, body in _mappings(client).items():
        fields = _new(wanted.get(_kind(index), {}), body.get("properties", {}))
        if fields and not _is_strange(index, body):
            lacking[index] = fields
    return lacking


def _new(wanted: Json, known: Json) -> Json:
    """The fields that are not known, also inside of those that are."""
    new = {field: kind for field, kind in wanted.items() if field not in known}
    for field, kind in wanted.items():
        if field in known and (inner := _new(kind.get("properties", {}), known[field].get("properties", {}))):
            new[field] = {"properties": inner}
    return new


def _mappings(client: Client) -> dict[str, Json]:
    there = client.indices.get_mapping(index=f"{PREFIX}-*", expand_wildcards="open")
    return {index: body["mappings"] for index, body in there.items()}


def _kind(index: str) -> str:
    return "-".join(index.split("-")[:2])


def _is_strange(index: str, body: Json) -> bool:
    return names.parts(index) is not None and str(body.get("dynamic", "true")).lower() != "false"
