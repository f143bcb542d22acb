"""Accounts with their keys and sessions, and the audit: who did what, when."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from elasticsearch import NotFoundError

from soc.errors import NotFound
from soc.model.account import Account, Role
from soc.model.org import Scope
from soc.store.base import AuditEntry, AuditStore, Page
from soc.store.cursor import decode_numbers, encode_numbers
from soc.store.elastic import names
from soc.store.elastic.client import Client
from soc.store.elastic.documents import Json, bulk, change, read, search_all, write

_MANY_EXPIRED = 500
_TIDY_MS = 60_000


class ElasticAccounts:
    """`AccountStore` on Elasticsearch, index `accounts`: `account:<name>`, `key:<hash>`, `session:<hash>`.

    Every question is answered by reading documents by their id, so what was written is seen at once, by all processes. A key
    counts while the account lists it, a session while it is of the account's generation: one write of the account ends
    them all, and none that is being made at that moment slips through.
    """

    def __init__(self, client: Client, audit: AuditStore, clock: Callable[[], int]) -> None:
        self._client = client
        self._audit = audit
        self._clock = clock
        self._tidied_at: int | None = None

    def empty(self) -> bool:
        return next(self._accounts(), None) is None

    def put(self, account: Account, password_hash: str | None, *, by: str) -> None:
        orgs = None if account.scope.orgs is None else sorted(account.scope.orgs)
        facts = {"name": account.name, "role": account.role, "orgs": orgs, "disabled": account.disabled}

        def changed(old: Json | None) -> Json:
            known = old or {"kind": "account", "password_hash": None, "generation": 0, "keys": []}
            new = known | facts
            if password_hash is not None or account.disabled:
                new["generation"] += 1
                new["password_hash"] = password_hash or known["password_hash"]
            return new

        self._note(by, "account.put", account.name)
        change(self._client, names.ACCOUNTS, _account_id(account.name), changed)

    def get(self, name: str) -> Account | None:
        known = self._read(_account_id(name))
        return _account(known) if known else None

    def list(self) -> list[Account]:
        return sorted((_account(known) for known in self._accounts()), key=lambda account: account.name)

    def password_hash(self, name: str) -> str | None:
        known = self._read(_account_id(name))
        return known["password_hash"] if known and not known["disabled"] else None

    def add_key(self, name: str, key_hash: str, label: str, *, by: str) -> None:
        def changed(old: Json | None) -> Json | None:
            if old is None:
                raise _nobody(name)
            if any(key["hash"] == key_hash for key in old["keys"]):
                return None
            return old | {"keys": [*old["keys"], {"hash": key_hash, "label": label}]}

        if self.get(name) is None:
            raise _nobody(name)
        self._note(by, "key.add", name)
        self._client.index(index=names.ACCOUNTS, id=f"key:{key_hash}", document={"kind": "key", "name": name})
        change(self._client, names.ACCOUNTS, _account_id(name), changed)

    def drop_keys(self, name: str, *, by: str) -> int:
        dropped: list[str] = []

        def changed(old: Json | None) -> Json | None:
            if old is None or not old["keys"]:
                return None
            dropped[:] = [key["hash"] for key in old["keys"]]
            return old | {"keys": []}

        self._note(by, "key.drop", name)
        change(self._client, names.ACCOUNTS, _account_id(name), changed)
        bulk(self._client, [_delete(f"key:{key_hash}") for key_hash in dropped])
        return len(dropped)

    def by_key(self, key_hash: str) -> Account | None:
        key = self._read(f"key:{key_hash}")
        known = self._read(_account_id(key["name"])) if key else None
        if known is None or known["disabled"] or all(listed["hash"] != key_hash for listed in known["keys"]):
            return None
        return _account(known)

    def open_session(self, name: str, session_hash: str, *, now: int, expires: int) -> None:
        known = self._read(_account_id(name))
        if known is None:
            return  # as good as a session of nobody
        self._tidy(now)
        session = {"kind": "session", "name": name, "expires": expires, "generation": known["generation"]}
        self._client.index(index=names.ACCOUNTS, id=f"session:{session_hash}", document=session)

    def by_session(self, session_hash: str, *, now: int) -> Account | None:
        session = self._read(f"session:{session_hash}")
        if session is None or session["expires"] <= now:
            return None
        known = self._read(_account_id(session["name"]))
        if known is None or known["disabled"] or known["generation"] != session["generation"]:
            return None
        return _account(known)

    def close_session(self, session_hash: str) -> None:
        with suppress(NotFoundError):  # closed already
            self._client.delete(index=names.ACCOUNTS, id=f"session:{session_hash}")

    def _tidy(self, now: int) -> None:
        """Now and then: delete sessions that have expired."""
        if self._tidied_at is not None and 0 <= now - self._tidied_at < _TIDY_MS:
            return
        self._tidied_at = now
        expired = self._client.search(
            index=names.ACCOUNTS,
            query={"bool": {"filter": [{"term": {"kind": "session"}}, {"range": {"expires": {"lte": now}}}]}},
            size=_MANY_EXPIRED,
            source=False,
            ignore_unavailable=True,
        )
        bulk(self._client, [_delete(hit["_id"]) for hit in expired["hits"]["hits"]])

    def _read(self, id_: str) -> Json | None:
        found = read(self._client, names.ACCOUNTS, id_)
        return found.source if found else None

    def _accounts(self) -> Iterator[Json]:
        return search_all(self._client, names.ACCOUNTS, {"term": {"kind": "account"}}, "name")

    def _note(self, by: str, action: str, target: str) -> None:
        """What is asked, before it is done: no change is without its entry, whatever dies in between."""
        self._audit.record(AuditEntry(self._clock(), by, action, target, ""))


def _nobody(name: str) -> NotFound:
    return NotFound(f"there is no account {name}")


def _account_id(name: str) -> str:
    return f"account:{name}"


def _delete(id_: str) -> Json:
    return {"delete": {"_index": names.ACCOUNTS, "_id": id_}}


def _account(known: Json) -> Account:
    orgs = known["orgs"]
    return Account(
        known["name"], Role(known["role"]), Scope(None if orgs is None else frozenset(orgs)), known["disabled"]
    )


class ElasticAudit:
    """`AuditStore` on Elasticsearch. `written` tells apart what was done in the same millisecond."""

    def __init__(self, client: Client, period: names.Period) -> None:
        self._client = client
        self._period = period

    def record(self, entry: AuditEntry) -> None:
        document = {
            "at": entry.at,
            "written": time.time_ns(),
            "by": entry.by,
            "action": entry.action,
            "target": entry.target,
            "detail": entry.detail,
        }
        index = names.audit(entry.at, self._period)
        # Refused: it is there, the answer to the first try was lost.
        write(self._client, index, secrets.token_hex(12), document, None)

    def list(self, *, by: str = "", action: str = "", cursor: str | None = None, limit: int = 50) -> Page[AuditEntry]:
        answer = self._client.search(
            index=f"{names.PREFIX}-audit-*",
            query={"bool": {"filter": [{"term": {k: v}} for k, v in (("by", by), ("action", action)) if v]}},
            sort=[{"at": "desc"}, {"written": "desc"}],
            search_after=None if cursor is None else list(decode_numbers(cursor)),
            size=limit + 1,
            track_total_hits=False,
            allow_partial_search_results=False,
        )
        hits = answer["hits"]["hits"]
        found = tuple(
            AuditEntry(*(hit["_source"][name] for name in ("at", "by", "action", "target", "detail")))
            for hit in hits[:limit]
        )
        return Page(found, encode_numbers(*hits[limit - 1]["sort"]) if len(hits) > limit else None)
