"""Two who write at the same moment."""

from __future__ import annotations

import pytest

from soc.errors import Conflict
from soc.model.policy import Policy
from soc.store.base import PolicyStore


def first_too_late(monkeypatch: pytest.MonkeyPatch, policies: PolicyStore) -> None:
    """Somebody else is faster than the first policy that is written from now on."""
    put, tries = policies.put, list[Policy]()

    def put_late(_: PolicyStore, policy: Policy) -> None:
        tries.append(policy)
        if len(tries) == 1:
            raise Conflict("somebody else was first")
        put(policy)

    monkeypatch.setattr(type(policies), "put", put_late)
