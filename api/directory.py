"""The directory of organisations, as it was laid down."""

from __future__ import annotations

from threading import Lock

from soc.model.org import Directory, Organisation
from soc.model.policy import PolicyKind
from soc.store.base import PolicyStore


def read_directory(policies: PolicyStore) -> Directory:
    """As it is now. Raises `ConfigError` where a newer govsoc has written what this one cannot read."""
    return Directory(
        Organisation.read(f"organisation {policy.id}", policy.body or {})
        for policy in policies.list(PolicyKind.ORGANISATION)
    )


class Organisations:
    """The directory, read again only when some policy has changed: there are thousands of communes."""

    def __init__(self, policies: PolicyStore) -> None:
        self._policies = policies
        self._lock = Lock()
        self._known: tuple[int, Directory] | None = None

    def directory(self) -> Directory:
        revision = self._policies.revision()
        with self._lock:
            if self._known is None or self._known[0] != revision:
                self._known = revision, read_directory(self._policies)
            return self._known[1]
