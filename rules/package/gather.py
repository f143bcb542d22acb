"""Which files of a package are wanted, and what of them works here."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from rules.package.difference import Described, Wanted, described, described_in
from rules.package.unpack import is_rule, unpack
from rules.rule import RuleSet
from soc.errors import RuleError

_RELEASE_CHARS = 60


@dataclass(slots=True)
class Found:
    """`rules`: those that are wanted, and filters, by id. `taken`: left out, as somebody else has their id. `unwanted`: how many the
    selection leaves out. `digest`: of all that is kept."""

    rules: dict[str, Described] = field(default_factory=dict)
    faults: list[RuleError] = field(default_factory=list)
    taken: list[Described] = field(default_factory=list)
    unwanted: int = 0
    licence: bytes = b""
    licence_depth: int = 99
    release: str = ""
    digest: str = ""


def gather(source: Path, wanted: Wanted, files: Path, taken: Collection[str]) -> Found:
    """Write those files of the package that are wanted."""
    found = Found()
    for path, content in unpack(source):
        if not is_rule(path):
            _note(found, path, content)
            continue
        rules = _rules_of(path, content, found.faults)
        if not rules or not _free(rules, found, taken):
            continue
        if not any(map(wanted.wants, rules)):
            found.unwanted += len(rules)
            continue
        found.rules.update({rule.id: rule for rule in rules})
        target = files / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    if found.licence:
        (files / "LICENSE").write_bytes(found.licence)
    return found


def _note(found: Found, path: PurePosixPath, content: bytes) -> None:
    """The licence nearest to the top counts, and which release it calls itself."""
    if path.name.lower() == "version.txt":
        text = content.decode(errors="replace").split("\n", 1)[0].strip()
        found.release = found.release or re.sub(r"[^\w.+-]+", " ", text).strip()[:_RELEASE_CHARS]
    elif len(path.parts) < found.licence_depth:
        found.licence, found.licence_depth = content, len(path.parts)


def _rules_of(path: PurePosixPath, content: bytes, faults: list[RuleError]) -> list[Described]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        faults.append(RuleError(f"is not UTF-8 text (byte {error.start})", str(path)))
        return []
    return described(text, path, faults)


def _free(rules: Sequence[Described], found: Found, taken: Collection[str]) -> bool:
    """Whether nobody else has rules with these ids."""
    ours = [rule for rule in rules if rule.id in taken or rule.id in found.rules]
    found.taken += ours
    return not ours


def leave_out(found: Found, loaded: RuleSet, files: Path) -> bool:
    """What does not work here is not kept: it would be a fault on the rules page that nobody can mend. True: something was taken away,
    which other rules may have needed."""
    some = False
    for error in loaded.errors:
        path = Path(error.path or files)
        found.faults.append(RuleError(error.reason, str(path.relative_to(files)), error.line, error.column))
        if path.is_file():
            path.unlink()
            some = True
    return some


def settle(found: Found, files: Path) -> None:
    """What is told of the package is what is kept of it."""
    found.rules = described_in([files])
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(path for path in files.rglob("*") if path.is_file()):
        digest.update(str(path.relative_to(files)).encode() + b"\0" + path.read_bytes() + b"\0")
    found.digest = digest.hexdigest()
