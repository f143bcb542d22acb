"""The directory of organisations: read from a file that an administrator has, and kept as policies, one each."""

from __future__ import annotations

import csv
import io
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from soc.errors import ConfigError, Conflict
from soc.model.org import Organisation
from soc.model.policy import Policy, PolicyKind
from soc.store.base import PolicyStore

SHIPPED = Path(__file__).with_name(
    "organisations.csv"
)  # ministries and provinces; communes come from the administrator's file

_LARGEST = 16 << 20
_MOST = 50_000
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Imported:
    added: int = 0
    changed: int = 0
    unchanged: int = 0


def read(path: Path) -> list[Organisation]:
    """The organisations of a CSV file with a header, or of a TOML file with `[[organisation]]` tables.

    Raises `ConfigError` with every fault that is found, each with its line (TOML: its number) and field.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise ConfigError(f"{path} is larger than {_LARGEST >> 20} MiB: is it a list of organisations?")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8: save it as UTF-8, and the letters of Vietnamese stay whole") from None
    rows = list(_toml(path, text) if path.suffix == ".toml" else _csv(path, text))
    if len(rows) > _MOST:
        raise ConfigError(f"{path} has {len(rows)} organisations, {_MOST} at most")
    found, faults = [], []
    for where, row in rows:
        try:
            found.append((where, Organisation.read(where, row)))
        except ConfigError as error:
            faults.append(str(error))
    seen: dict[str, str] = {}
    for where, org in found:
        if org.code in seen:
            faults.append(f"{where}: code {org.code} is there already: {seen[org.code]}")
        seen.setdefault(org.code, where)
    if faults:
        more = f"\nand {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        raise ConfigError("\n".join(faults[:_SHOWN]) + more)
    return [org for _, org in found]


def _csv(path: Path, text: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            where = f"{path} line {reader.line_num}"
            if None in row:
                raise ConfigError(f"{where}: has more columns than the header")
            yield where, row
    except csv.Error as error:
        raise ConfigError(f"{path} after line {reader.line_num}: {error}") from None


def _toml(path: Path, text: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    try:
        tables = tomllib.loads(text).get("organisation")
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}") from None
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError(f"{path} has no [[organisation]] tables")
    for number, table in enumerate(tables, 1):
        yield f"{path} organisation {number}", table


def keep(policies: PolicyStore, organisations: Sequence[Organisation], *, by: str, now: int, reason: str) -> Imported:
    """Keep a version of each that is new or different. Others that are known stay: what is gone has `valid_to`, it is not deleted.

    Raises `ConfigError` where a parent or successor is neither in the list nor known; then nothing is kept.
    """
    known = {policy.id: policy for policy in policies.list(PolicyKind.ORGANISATION)}
    codes = known.keys() | {org.code for org in organisations}
    for org in organisations:
        for name, code in (("parent", org.parent), ("successor", org.successor)):
            if code is not None and code not in codes:
                raise ConfigError(f"{org.code}: its {name} {code} is neither in the file nor in the directory")
    added = changed = 0
    for org in organisations:
        old = known.get(org.code)
        if old is not None and old.body == org.body():
            continue
        added += old is None
        changed += old is not None
        _put(policies, org, old.version + 1 if old else 1, by=by, now=now, reason=reason)
    return Imported(added, changed, len(organisations) - added - changed)


def _put(policies: PolicyStore, org: Organisation, version: int, *, by: str, now: int, reason: str) -> None:
    kind = PolicyKind.ORGANISATION
    try:
        policies.put(Policy(kind, org.code, version, org.body(), by, now, reason))
    except Conflict:  # it was withdrawn, and so is not listed; or somebody else is at it
        latest = policies.get(kind, org.code)
        if latest.body != org.body():
            policies.put(Policy(kind, org.code, latest.version + 1, org.body(), by, now, reason))
