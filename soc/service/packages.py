"""Importing packages of rules, such as SigmaHQ's, into the rules folder of the data directory.

What a package holds is unpacked, chosen from, compared and compiled beside the rules that run; one write of the package's manifest puts
it into force, and the one before stays for a way back. What people have laid down about rules (stages, levels, exceptions) is kept by
rule id elsewhere, so no import touches it. Imported rules begin in test: thousands that nobody has looked at must not fill the queue.
"""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from rules.load.folders import Folder, Progress, load_folders
from rules.package.difference import Described, Difference, Wanted, described_in, difference
from rules.package.gather import Found, gather, leave_out, settle
from rules.package.manifest import MANIFEST, Package, Version, packages, read_package, write_package
from rules.rule import RuleSet
from soc.errors import ConfigError, NotFound, RuleError
from soc.locks import only_one
from soc.model.policy import Policy, PolicyKind
from soc.model.rule import Stage
from soc.model.tuning import RuleSetting, setting_body
from soc.service.compiling import kept
from soc.service.ruleset import folders, imports_run, rules_dir
from soc.settings import Settings
from soc.store.base import AuditEntry, PolicyStore, Stores

IMPORTED = "imported with the package "  # how the reason of a stage begins that an import gave
_ROUNDS = 20
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")
_LICENCES = {"Detection Rule License": "DRL-1.1", "MIT License": "MIT", "Apache License": "Apache-2.0"}


@dataclass(frozen=True, slots=True)
class Options:
    """`release`, `licence`: in place of what the package says of itself."""

    name: str
    by: str
    wanted: Wanted = field(default_factory=Wanted)
    stage: Stage = Stage.TEST
    pipelines: tuple[str, ...] = ()
    release: str = ""
    licence: str = ""
    progress: Progress | None = None


@dataclass(slots=True)
class Import:
    """What an import would do. `faults`: rules that cannot be read or are not supported, which are left out. `taken`: rules that are left
    out as another folder has their id. `unwanted`: how many the selection leaves out. `orphans`: rules that vanish although people have
    laid something down about them; it stays, and counts again if they come back."""

    package: Package
    place: Path
    difference: Difference
    faults: list[RuleError]
    taken: list[Described]
    unwanted: int
    alerting: list[str]  # ids of the rules that raise alerts
    orphans: list[Described] = field(default_factory=list)


@contextmanager
def prepared(settings: Settings, source: Path, options: Options, now: int) -> Iterator[Import]:
    """The package unpacked and looked at, with nothing put into force yet; gone when the block ends, unless it was kept.

    Raises `ConfigError` for a name, a pipeline or a package that cannot be used, and when another import runs.
    """
    _check(settings, options)
    with only_one(settings.data_dir, "rules-import"):
        place = settings.data_dir / "rules-import" / secrets.token_hex(8)
        try:
            place.mkdir(parents=True)
            yield _look(settings, source, options, now, place)
        except OSError as error:
            raise ConfigError(f"{error.filename or settings.data_dir}: {error.strerror}") from None
        finally:
            shutil.rmtree(place.parent, ignore_errors=True)


def keep(settings: Settings, stores: Stores, coming: Import) -> None:
    """Put it into force. The stages come first: rules that run are never without them."""
    package, version = coming.package, coming.package.current
    if version.stage is not Stage.LIVE:
        new = {rule.id for rule in coming.difference.added}
        reason = f"{IMPORTED}{package.name} {version.release}"
        body = setting_body(RuleSetting("", version.stage))
        begun = [
            Policy(PolicyKind.RULE, id_, 1, body, version.by, version.at, reason)
            for id_ in coming.alerting
            if id_ in new
        ]
        stores.policies.begin(begun)
    place = rules_dir(settings.data_dir) / package.name
    if not place.exists():
        fresh = coming.place / "package"
        (coming.place / "files").rename(_made(fresh) / version.folder)
        write_package(replace(package, name=fresh.name), fresh.parent)
        place.parent.mkdir(exist_ok=True)
        fresh.rename(place)
    else:
        if not (place / version.folder).exists():
            (coming.place / "files").rename(place / version.folder)
        write_package(package, rules_dir(settings.data_dir))
        _tidy(place, package)
    _record(stores, "rules.import", package, f"{version.rules} rules, {version.stage}")


def roll_back(settings: Settings, stores: Stores, name: str, by: str, now: int) -> Package:
    """To the version before; again: to the one that it was. Raises `NotFound` and `ConfigError`."""
    with only_one(settings.data_dir, "rules-import"):
        package = _package(settings, name)
        if package.previous is None:
            raise ConfigError(f"{name} has no version before this one")
        package = Package(name, package.previous, package.current)
        write_package(package, rules_dir(settings.data_dir))
        _record(stores, "rules.rollback", replace(package, current=replace(package.current, by=by, at=now)), "")
        return package


def remove(settings: Settings, stores: Stores, name: str, by: str, now: int) -> list[Described]:
    """Returns its rules about which people have laid something down: that stays. Raises `NotFound`."""
    with only_one(settings.data_dir, "rules-import"):
        package = _package(settings, name)
        gone = described_in([package.folder(rules_dir(settings.data_dir))]).values()
        orphans = _orphans(stores.policies, list(gone))
        aside = _made(settings.data_dir / "rules-import") / secrets.token_hex(8)
        (rules_dir(settings.data_dir) / name).rename(aside)
        shutil.rmtree(aside.parent, ignore_errors=True)
        _record(stores, "rules.remove", replace(package, current=replace(package.current, by=by, at=now)), "")
        return orphans


def known(settings: Settings, errors: list[RuleError]) -> list[Package]:
    return packages(rules_dir(settings.data_dir), errors)


def find_orphans(stores: Stores, coming: Import) -> None:
    coming.orphans = _orphans(stores.policies, coming.difference.removed)


def _check(settings: Settings, options: Options) -> None:
    if not _NAME.fullmatch(options.name):
        raise ConfigError(f"{options.name!r}: a package's name has lower-case letters, digits, - and _, at most 50")
    folder = rules_dir(settings.data_dir)
    if not imports_run(settings):
        reason = f"detect.rules names the folders of rules, so those of {folder} do not run"
        raise ConfigError(f"{reason}: add that folder, or leave it empty")
    place = rules_dir(settings.data_dir) / options.name
    if place.exists() and not (place / MANIFEST).is_file():
        raise ConfigError(f"{place} holds rules that were not imported: choose another --name")


def _look(settings: Settings, source: Path, options: Options, now: int, place: Path) -> Import:
    before = read_package(rules_dir(settings.data_dir) / options.name)
    others = [
        one.path
        for one in folders(settings, [])
        if not one.path.is_relative_to(rules_dir(settings.data_dir) / options.name)
    ]
    files = _made(place / "files")
    found = gather(source, options.wanted, files, described_in(others).keys())
    loaded = _usable(settings, source, options, found, files)
    settle(found, files)
    if not found.rules:
        raise ConfigError(f"{source}: no rule of it can be used" + _because(found))
    version = _version(source, options, found, loaded, now)
    was = described_in([before.folder(rules_dir(settings.data_dir))]) if before else {}
    previous = None
    if before is not None:  # the same again is no new version
        previous = before.previous if before.current.folder == version.folder else before.current
    return Import(
        Package(options.name, version, previous),
        place,
        difference(was, found.rules),
        found.faults,
        found.taken,
        found.unwanted,
        [rule.id for rule in loaded.rules if not rule.silent],
    )


def _usable(settings: Settings, source: Path, options: Options, found: Found, files: Path) -> RuleSet:
    """What of it works when the rest is not there."""
    with kept(settings) as cache:  # the detector then has nothing to compile
        loaded = load_folders([Folder(files, options.pipelines)], cache=cache, progress=options.progress)
        for _ in range(_ROUNDS):
            if not leave_out(found, loaded, files):
                return loaded
            loaded = load_folders([Folder(files, options.pipelines)], cache=cache)
    raise ConfigError(f"{source}: of its rules one does not work, and others hang on it in more than {_ROUNDS} steps")


def _version(source: Path, options: Options, found: Found, loaded: RuleSet, now: int) -> Version:
    licence = found.licence.decode(errors="replace")
    named = next((name for words, name in _LICENCES.items() if words in licence), "LICENSE" if licence else "")
    return Version(
        folder=found.digest,
        release=options.release or found.release or _newest(loaded),
        origin=source.absolute().name[:200],
        digest=found.digest,
        at=now,
        by=options.by,
        rules=len(loaded.rules),
        left_out=len(found.faults) + len(found.taken) + found.unwanted,
        licence=options.licence
        or named
        or ", ".join(sorted({rule.license for rule in loaded.rules if rule.license})[:3]),
        stage=options.stage,
        pipelines=options.pipelines,
    )


def _newest(loaded: RuleSet) -> str:
    """The newest date that a rule names: packages that do not say which release they are can be told apart by it."""
    dates = (
        re.findall(r"^(?:date|modified):\s*['\"]?(\d{4}[-/]\d\d[-/]\d\d)", rule.text, re.M) for rule in loaded.rules
    )
    return max((date.replace("/", "-") for some in dates for date in some), default="unknown")


def _because(found: Found) -> str:
    if found.taken:
        return f": {len(found.taken)} are there already"
    return f", such as {found.faults[0]}" if found.faults else ": none is wanted" if found.unwanted else ""


def _orphans(policies: PolicyStore, gone: Sequence[Described]) -> list[Described]:
    """The rules among these about which people have laid something down."""
    own = {
        one.id for one in policies.list(PolicyKind.RULE) if one.version > 1 or not one.reason.startswith(IMPORTED)
    } | {str((one.body or {}).get("rule_id")) for one in policies.list(PolicyKind.EXCEPTION)}
    return [rule for rule in gone if rule.id in own]


def _package(settings: Settings, name: str) -> Package:
    package = read_package(rules_dir(settings.data_dir) / name) if _NAME.fullmatch(name) else None
    if package is None:
        names = ", ".join(one.name for one in known(settings, [])) or "none"
        raise NotFound(f"there is no package {name!r}: there are {names}")
    return package


def _tidy(place: Path, package: Package) -> None:
    """Versions that nobody can go back to. A detector that reads one of them reads again, as the manifest has changed."""
    used = {one.folder for one in (package.current, package.previous) if one}
    for folder in place.iterdir():
        if folder.is_dir() and folder.name not in used:
            shutil.rmtree(folder, ignore_errors=True)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _record(stores: Stores, action: str, package: Package, detail: str) -> None:
    version = package.current
    text = f"{version.release} from {version.origin}" + (f": {detail}" if detail else "")
    stores.audit.record(AuditEntry(version.at, version.by, action, package.name, text))
