"""Lists of indicators as people keep them: taken over from files, single entries added and removed, withdrawn.

A list is a file in `lists` of the data directory, which is never changed; a policy says which one holds. On a server the policies are
shared, the files are not: a list is imported on each machine that runs a detector, or those share the folder.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from api.errors import Refused
from rules.lists.index import Index
from rules.lists.pack import Entry, packed, path_of, write
from rules.lists.read import Format, Reading, read
from rules.lists.spelling import spelt
from soc.errors import ConfigError, Forbidden, NotFound
from soc.model.account import Account
from soc.model.indicator import ListRecord, ListType, list_id, list_of
from soc.model.org import Scope
from soc.model.policy import Policy, PolicyKind
from soc.store.base import AuditEntry, PolicyStore, Stores

MAX_LISTS, MAX_OF_ORG = 1000, 50
MAX_TEXT = 1 << 20  # characters that may be pasted at once
MAX_EDITED = 200_000  # entries of a list that may be changed without a command line: all are read and written
SHOWN = 20  # of what an import adds or removes
_KEPT_S = 86_400  # that a file of an earlier version stays


@dataclass(frozen=True, slots=True)
class Kept:
    """A list with its latest version and who made that."""

    record: ListRecord
    version: int
    by: str
    at: int
    reason: str


@dataclass(frozen=True, slots=True)
class Change:
    """What a change makes of a list: numbers of entries, and the first of those that come and go."""

    record: ListRecord
    added: int
    removed: int
    first_added: tuple[str, ...]
    first_removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Which:
    """A list by its name; `org` empty: the one for all organisations."""

    name: str
    org: str = ""


def visible(policies: PolicyStore, scope: Scope) -> list[Kept]:
    """Those for all organisations, and those of the scope's own."""
    return [one for one in _all(policies) if not one.record.org or scope.allows(one.record.org)]


def get(policies: PolicyStore, which: Which, scope: Scope) -> Kept:
    """Raises `NotFound`."""
    for kept in visible(policies, scope):
        if (kept.record.name, kept.record.org) == (which.name, which.org):
            return kept
    raise NotFound(f"there is no list {which.name}")


def type_of(policies: PolicyStore, which: Which, scope: Scope) -> ListType:
    """Raises `NotFound` where there is no such list yet."""
    try:
        return get(policies, which, scope).record.type
    except NotFound:
        raise NotFound(f"there is no list {which.name}: say of which type it is to be") from None


def entries(folder: Path, record: ListRecord) -> Iterator[Entry]:
    """All of them, sorted. Raises `ConfigError` where this machine does not have the file."""
    return Index.open(folder, record.file).all()


def put(
    stores: Stores,
    folder: Path,
    account: Account,
    which: Which,
    kind: ListType,
    change: Callable[[dict[str, Entry]], Iterable[Entry]],
    *,
    reason: str,
    now: int,
    source: str | None = None,
    dry: bool = False,
) -> Change:
    """Put what `change` makes of the entries in their place; the list is made where there is none. `dry`: only say what would change.

    Raises `Forbidden`, `Conflict` (somebody was faster), `Refused` (another type, too many lists), and `ConfigError`.
    """
    _check(account, which)
    try:
        id_ = list_id(which.name, which.org)
    except ConfigError as error:
        raise Refused(str(error)) from None
    versions = stores.policies.history(PolicyKind.LIST, id_)
    old = list_of(id_, versions[-1].body) if versions and versions[-1].body is not None else None
    if old is None:
        _check_room(_all(stores.policies), which)
    elif old.type is not kind:
        raise Refused(f"the list {id_} is of type {old.type}: remove it first, or give this one another name")
    before = {one.value: one for one in entries(folder, old)} if old else {}
    after = {one.value: one for one in change(dict(before))}
    content = packed(kind, after.values())
    told = _change(which, kind, before, after)
    if dry:
        return told
    file = write(folder, content)
    record = ListRecord(
        which.name, kind, file, len(after), which.org, (old.source if old else "") if source is None else source
    )
    list_of(id_, record.body())  # what could not be read back would be in no list
    detail = f"{len(after)} entries, {told.added} added, {told.removed} removed: {reason}"
    stores.audit.record(AuditEntry(now, account.name, "list.change", id_, detail))
    version = versions[-1].version + 1 if versions else 1
    stores.policies.put(Policy(PolicyKind.LIST, id_, version, record.body(), account.name, now, reason))
    _tidy(folder, {kept.record.file for kept in _all(stores.policies)})
    return Change(record, told.added, told.removed, told.first_added, told.first_removed)


def remove(stores: Stores, account: Account, which: Which, *, reason: str, now: int) -> None:
    """The rules that ask for it rest from then on. Raises `NotFound` and `Forbidden`."""
    kept = get(stores.policies, which, account.scope)
    _check(account, which)
    stores.audit.record(AuditEntry(now, account.name, "list.remove", kept.record.id, reason))
    stores.policies.put(Policy(PolicyKind.LIST, kept.record.id, kept.version + 1, None, account.name, now, reason))


@dataclass(frozen=True, slots=True)
class Pasted:
    """Entries as somebody pasted them. `days`: for so long they count; 0: without end."""

    which: Which
    type: ListType
    text: str
    format: Format
    column: str
    days: int
    source: str
    reason: str
    replace: bool
    dry: bool = False


def paste(stores: Stores, folder: Path, account: Account, pasted: Pasted, now: int) -> tuple[Change, Reading]:
    """Raises as `put` does, and `Refused` where there is no entry in it, or the list is too large."""
    _check_size(stores.policies, pasted.which, account.scope)
    until = now // 1000 + pasted.days * 86_400 if pasted.days else 0
    try:
        content = pasted.text.encode(errors="surrogatepass")
        reading = read(pasted.type, content, pasted.format, pasted.column, until, pasted.reason)
    except ConfigError as error:
        raise Refused(str(error)) from None
    if not reading.entries:
        if not reading.faults:
            raise Refused(f"there is no entry of type {pasted.type} in it")
        line, our_why = reading.faults[0]
        raise Refused(f"there is no entry of type {pasted.type} in it; line {line}: {our_why}")
    act = replaced(reading.entries) if pasted.replace else joined(reading.entries)
    source = pasted.source or None
    change = put(
        stores, folder, account, pasted.which, pasted.type, act,
        reason=pasted.reason, now=now, source=source, dry=pasted.dry,
    )  # fmt: skip
    return change, reading


def take_out(
    stores: Stores, folder: Path, account: Account, which: Which, values: Iterable[str], *, reason: str, now: int
) -> Change:
    """Raises as `put` does, `NotFound`, and `Refused` for what is not on the list."""
    kept = get(stores.policies, which, account.scope)
    _check_size(stores.policies, which, account.scope)
    try:
        wanted = [spelt(kept.record.type, value) for value in values]
    except ValueError as error:
        our_why = str(error)
        raise Refused(f"an entry cannot be on the list: {our_why}") from None
    return put(stores, folder, account, which, kept.record.type, without(wanted), reason=reason, now=now)


def page(
    folder: Path, record: ListRecord, starting: str, cursor: str | None, limit: int
) -> tuple[list[Entry], str | None]:
    """Entries that begin so, from the cursor on, and the cursor of the next page."""
    begin = max(starting, cursor or "")
    found: list[Entry] = []
    for entry in Index.open(folder, record.file).all(begin):
        if not entry.value.startswith(starting):
            break
        if len(found) == limit:
            return found, entry.value
        found.append(entry)
    return found, None


def _check_size(policies: PolicyStore, which: Which, scope: Scope) -> None:
    try:
        record = get(policies, which, scope).record
    except NotFound:
        return
    if record.entries > MAX_EDITED:
        raise Refused(
            f"a list of {record.entries:,} entries is changed on the command line: soc lists import, add, remove"
        )


def replaced(new: Iterable[Entry]) -> Callable[[dict[str, Entry]], Iterable[Entry]]:
    return lambda _: new


def joined(new: Iterable[Entry]) -> Callable[[dict[str, Entry]], Iterable[Entry]]:
    return lambda old: (old | {one.value: one for one in new}).values()


def without(values: Iterable[str]) -> Callable[[dict[str, Entry]], Iterable[Entry]]:
    """Raises `Refused` for a value that is not there."""

    def change(old: dict[str, Entry]) -> Iterable[Entry]:
        for value in values:
            if old.pop(value, None) is None:
                raise Refused(f"{value} is not on the list")
        return old.values()

    return change


def _check(account: Account, which: Which) -> None:
    if which.org and not account.scope.allows(which.org):
        raise Forbidden("there is no such organisation, or it is not one of yours")
    if not which.org and account.scope.orgs is not None:
        raise Forbidden("a list for all organisations is everybody's: make one of your organisation")


def _check_room(known: list[Kept], which: Which) -> None:
    of_org = sum(kept.record.org == which.org for kept in known)
    if len(known) >= MAX_LISTS or (which.org and of_org >= MAX_OF_ORG):
        raise Refused(f"there are {len(known)} lists, {of_org} of them of this organisation: remove one first")


def _change(which: Which, kind: ListType, before: dict[str, Entry], after: dict[str, Entry]) -> Change:
    added = [value for value in after if value not in before]
    removed = [value for value in before if value not in after]
    shown = tuple(islice(added, SHOWN)), tuple(islice(removed, SHOWN))
    return Change(ListRecord(which.name, kind, "", len(after), which.org), len(added), len(removed), *shown)


def _all(policies: PolicyStore) -> list[Kept]:
    """What cannot be read is left out; the detector says so."""
    found = []
    for policy in policies.list(PolicyKind.LIST):
        try:
            record = list_of(policy.id, policy.body or {})
        except ConfigError:
            continue
        found.append(Kept(record, policy.version, policy.by, policy.at, policy.reason))
    return found


def _tidy(folder: Path, needed: set[str]) -> None:
    """Forget the files of earlier versions; a detector that still has one open keeps it until it takes up the next."""
    for path in folder.glob("*.list"):
        if path != path_of(folder, path.stem) or path.stem in needed:
            continue
        if path.stat().st_mtime < time.time() - _KEPT_S:
            path.unlink(missing_ok=True)
