"""A package that was imported, as it lies in the rules folder of the data directory:

    rules/<name>/package.json    which version runs, and the one before       replaced whole: that is the switch
    rules/<name>/<version>/      the files of a version, never changed        rules, licence

What else lies in that folder are rules of one's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from rules.load.folders import Folder, is_cases
from soc.errors import RuleError
from soc.model.rule import Stage
from soc.whole import write_whole

MANIFEST = "package.json"
MAX_MANIFEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Version:
    """One import. `folder`: its own, inside the package's. `origin`: the file that it came from. `at`: ms since 1970.

    `release`: as the package calls itself. `licence`: its name, empty: not known. `stage`: in which new rules begin.
    `digest`: of all its files. `left_out`: rules of the package that were not wanted, or that others have already.
    """

    folder: str
    release: str
    origin: str
    digest: str
    at: int
    by: str
    rules: int
    left_out: int
    licence: str
    stage: Stage
    pipelines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Package:
    name: str
    current: Version
    previous: Version | None = None

    def folder(self, rules_dir: Path) -> Path:
        """Of the version that runs."""
        return rules_dir / self.name / self.current.folder


def read_package(place: Path) -> Package | None:
    """The package in this folder; None: there is none. Raises RuleError for a manifest that nobody can use."""
    path = place / MANIFEST
    try:
        if path.stat().st_size > MAX_MANIFEST:
            raise ValueError(f"larger than {MAX_MANIFEST} bytes")
        known = orjson.loads(path.read_bytes())
        current, previous = _version(known["current"]), known["previous"]
        return Package(place.name, current, _version(previous) if previous else None)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise RuleError(f"not a manifest that govsoc has written ({error}): import the package again", path) from None


def write_package(package: Package, rules_dir: Path) -> None:
    """From now on this is what runs. Raises `OSError`."""
    known = {"current": package.current, "previous": package.previous}
    write_whole(rules_dir / package.name / MANIFEST, orjson.dumps(known, option=orjson.OPT_INDENT_2))


def _version(known: dict[str, object]) -> Version:
    known = dict(known)
    pipelines = known.pop("pipelines")
    if not isinstance(pipelines, list) or not all(
        isinstance(value, str | int) for value in [*known.values(), *pipelines]
    ):
        raise TypeError("a field is of another type")
    version = Version(**known | {"stage": Stage(str(known["stage"])), "pipelines": tuple(pipelines)})  # type: ignore[arg-type]
    if not version.folder.isalnum():
        raise ValueError("the folder is not one of ours")
    return version


def packages(rules_dir: Path, errors: list[RuleError]) -> list[Package]:
    """By name. A manifest that cannot be used is one of the `errors`."""
    return [one for place in places(rules_dir, errors) if isinstance(one := _package_or_own(place, errors), Package)]


def folders(rules_dir: Path, errors: list[RuleError]) -> list[Folder]:
    """What there is to load: rules of one's own first, so that they win over those of packages, then the packages'."""
    own, imported = [], []
    for place in places(rules_dir, errors):
        found = _package_or_own(place, errors)
        if isinstance(found, Package):
            imported.append(Folder(found.folder(rules_dir), found.current.pipelines))
        elif found is not None:
            own.append(Folder(found))
    return own + imported


def _package_or_own(place: Path, errors: list[RuleError]) -> Package | Path | None:
    """None: neither, because its manifest cannot be used."""
    if not place.is_dir():
        return place
    try:
        return read_package(place) or place
    except RuleError as error:
        errors.append(error)
        return None


def places(rules_dir: Path, errors: list[RuleError]) -> list[Path]:
    """The rule files and folders in the rules folder of the data directory; a folder that cannot be read is one of the `errors`."""
    try:
        return list(_places(rules_dir))
    except OSError as error:
        errors.append(RuleError(f"cannot be read: {error.strerror or error}", error.filename or rules_dir))
        return []


def _places(rules_dir: Path) -> Iterator[Path]:
    for place in sorted(rules_dir.iterdir()) if rules_dir.is_dir() else ():
        is_rule = place.suffix in (".yml", ".yaml") and not is_cases(place)
        if not place.name.startswith(".") and (place.is_dir() or is_rule):
            yield place
