"""What has to be in the cluster before anything is written: templates, and in indices that are there the fields they lack.

Everything compares first: a second run changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from elasticsearch import NotFoundError

from soc.store.elastic import layout, mapping, names
from soc.store.elastic.client import Client
from soc.store.elastic.names import PREFIX

Json = dict[str, Any]


def install(client: Client, *, shards: int = 1, replicas: int = 1) -> list[str]:
    """Put every template that is missing or older; returns what was changed, one line each, empty when nothing was."""
    changed: list[str] = []
    components = mapping.component_templates()
    for name in _outdated(_component_digests(client), components):
        client.cluster.put_component_template(name=name, **components[name])
        changed.append(f"component template {name}")
    templates = mapping.templates(shards, replicas) | layout.templates(replicas)
    for name in _outdated(_template_digests(client), templates):
        client.indices.put_index_template(name=name, **templates[name])
        changed.append(f"index template {name}")
    for index, fields in _lacking(client, templates).items():
        client.indices.put_mapping(index=index, properties=fields)
        changed.append(f"{len(fields)} new fields in index {index}")
    return changed


def missing(client: Client, *, shards: int = 1, replicas: int = 1) -> list[str]:
    """What `install` would change."""
    templates = mapping.templates(shards, replicas) | layout.templates(replicas)
    return [
        *(
            f"component template {name}"
            for name in _outdated(_component_digests(client), mapping.component_templates())
        ),
        *(f"index template {name}" for name in _outdated(_template_digests(client), templates)),
        *(f"{len(fields)} new fields in index {index}" for index, fields in _lacking(client, templates).items()),
    ]


def _outdated(there: Mapping[str, str], wanted: Mapping[str, Json]) -> list[str]:
    return [name for name, body in wanted.items() if there.get(name) != body["_meta"]["digest"]]


def _component_digests(client: Client) -> dict[str, str]:
    try:
        found = client.cluster.get_component_template(name=f"{PREFIX}-*")["component_templates"]
    except NotFoundError:
        return {}
    return {one["name"]: _digest(one["component_template"]) for one in found}


def _template_digests(client: Client) -> dict[str, str]:
    try:
        found = client.indices.get_index_template(name=f"{PREFIX}-*")["index_templates"]
    except NotFoundError:
        return {}
    return {one["name"]: _digest(one["index_template"]) for one in found}


def _digest(template: Json) -> str:
    return str((template.get("_meta") or {}).get("digest", ""))


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
        known = body.get("properties", {})
        fields = {field: kind for field, kind in wanted.get(_kind(index), {}).items() if field not in known}
        if fields and not _is_strange(index, body):
            lacking[index] = fields
    return lacking


def _mappings(client: Client) -> dict[str, Json]:
    there = client.indices.get_mapping(index=f"{PREFIX}-*", expand_wildcards="open")
    return {index: body["mappings"] for index, body in there.items()}


def _kind(index: str) -> str:
    return "-".join(index.split("-")[:2])


def _is_strange(index: str, body: Json) -> bool:
    return names.parts(index) is not None and str(body.get("dynamic", "true")).lower() != "false"
