"""A digest by which a later run sees whether what is in the cluster is still what we would write."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

Json = dict[str, Any]


def digest(value: object, size: int = 8) -> str:
    """Twice so many hex digits as `size`; the same whatever the order of the keys."""
    return hashlib.blake2b(orjson.dumps(value, option=orjson.OPT_SORT_KEYS), digest_size=size).hexdigest()


def stamped(body: Json) -> Json:
    """The body of a template with its digest in it."""
    return body | {"_meta": {"written_by": "govsoc", "digest": digest(body)}}
