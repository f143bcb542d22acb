"""Policy: what people lay down for the detector and the desk, one versioned document each. Every version is kept, so the history and
what changed are there by themselves, and what held at any time can be read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

ID_BYTES = 400
BODY_BYTES = 64 << 10


class PolicyKind(StrEnum):
    ORGANISATION = "organisation"
    EXCEPTION = "exception"
    RULE = "rule"  # a rule's stage, and what an organisation has of its own
    ROUTE = "route"  # who is notified of what
    SILENCE = "silence"  # how long a source may be silent, and when
    SURGE = "surge"  # an event of which more traffic is expected
    LIST = "list"  # which file a list of indicators is
    HARMLESS = "harmless"  # how far off a series, or how surprising an entity, may be without a call


@dataclass(frozen=True, slots=True)
class Policy:
    """One version. `body` is a JSON object of at most `BODY_BYTES`, what is in it depends on the kind; None: withdrawn.

    `id` names it within its kind, at most `ID_BYTES` as UTF-8. `version` counts from 1. `at`: ms since 1970. `reason`: why, in the words of
    who did it.
    """

    kind: PolicyKind
    id: str
    version: int
    body: Mapping[str, object] | None
    by: str
    at: int
    reason: str = ""
