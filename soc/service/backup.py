"""A copy of everything that is not in git, taken while everything runs; and starting again from it.

The order makes a copy that is safe to start from, though nothing stands still: what says how far somebody has read is copied
before what is read. So a restored collector, detector or indexer does a little again, which changes nothing, and skips nothing. And
decisions are copied before what they are about: there is none of an alert that is not there.

    1 control.db   2 the other databases   3 sources.json, keys, rules   4 the event log   5 a snapshot of Elasticsearch
    6 the keys again: an organisation that was enrolled meanwhile has events in 4 and 5, which nobody could read without its key
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from rules.package.manifest import MANIFEST as PACKAGE
from soc import __version__
from soc.backtest.jobs import jobs_dir
from soc.errors import ConfigError, StoreUnavailable
from soc.locks import only_one
from soc.service.declared import series_dir
from soc.service.levels import slo_dir
from soc.service.lists import lists_dir
from soc.service.people import people_dir
from soc.service.ruleset import rules_dir
from soc.settings import Settings

MANIFEST = "manifest.json"
_FIRST = ("control.db", "collector.db", "detector.db", "anomaly.db", "indexer.db", "sources.json")
_PRIVATE = 0o600


@dataclass(frozen=True, slots=True)
class Place:
    """Where Elasticsearch keeps its part. `location`: a folder as its nodes see it, None where the repository is there already."""

    repository: str = "govsoc"
    location: str | None = None


def back_up(settings: Settings, folder: Path, place: Place, tell: Callable[[str], None], now: datetime) -> Path:
    """Copy everything into a new folder below `folder`, which has its name once it is whole. Returns it.

    Blocks for as long as the copying takes; nothing else has to stop. Raises `ConfigError` and `StoreUnavailable`.
    """
    if not settings.data_dir.is_dir():
        raise ConfigError(f"{settings.data_dir} does not exist: name the data directory with --data-dir")
    name = f"govsoc-{now.astimezone(UTC):%Y%m%dt%H%M%Sz}"
    target, making = folder / name, folder / f".{name}.making"
    making.mkdir(parents=True, mode=0o700)
    try:
        files = {}
        for path in _local(settings.data_dir):
            tell(f"copying {path}")
            files[str(path)] = _copy_out(settings.data_dir / path, making / "data" / path)
        manifest: dict[str, Any] = {
            "version": __version__,
            "taken_at": now.isoformat(timespec="seconds"),
            "files": files,
        }
        if settings.store.url:
            from soc.service import elastic

            manifest["elasticsearch"] = elastic.back_up(settings, place.repository, place.location, name, tell)
        for path in _keys(settings.data_dir):
            tell(f"copying {path}")
            files[str(path)] = _copy_out(settings.data_dir / path, making / "data" / path)
        (making / MANIFEST).write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
        making.rename(target)
    except OSError as error:
        raise StoreUnavailable(f"{error.filename or making} cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return target


def restore(settings: Settings, folder: Path, place: Place | None, tell: Callable[[str], None]) -> None:
    """Put everything of a backup into an empty data directory, and an empty cluster. `place`: where its snapshot is now, if it has moved.

    Raises `ConfigError` when something is there already, before anything is changed; or when the backup is damaged.
    """
    manifest = _manifest(folder)
    data_dir, kept = settings.data_dir, manifest.get("elasticsearch")
    if bool(kept) != bool(settings.store.url):
        with_or_without = "with" if kept else "without"
        raise ConfigError(f"{folder} is a backup {with_or_without} Elasticsearch: set store.url accordingly")
    if there := [path for path in _local(data_dir) if (data_dir / path).exists()]:
        raise ConfigError(f"{data_dir} is not empty ({there[0]}): restore into another --data-dir, or move it away")
    for path, digest in manifest["files"].items():
        tell(f"checking {path}")
        source = folder / "data" / path
        if not source.is_file() or _digest(source) != digest:
            raise ConfigError(f"{source} is missing or damaged: take another backup")
    with ExitStack() as held:
        for role in ("collector", "detector", "observer"):
            held.enter_context(only_one(data_dir, role))
        if kept:
            from soc.service import elastic

            where = place or Place(kept["repository"], kept["location"])
            elastic.restore(settings, where.repository, where.location, kept["snapshot"], tell)
        for path in manifest["files"]:
            tell(f"restoring {path}")
            _copy_in(folder / "data" / path, data_dir / path)


def _local(data_dir: Path) -> Iterator[Path]:
    """What there is on this machine, relative to the data directory, in the order of copying."""
    for name in _FIRST:
        if (data_dir / name).exists():
            yield Path(name)
    yield from _keys(data_dir)
    yield from _rules(data_dir)
    for folder in (series_dir(data_dir), slo_dir(data_dir), people_dir(data_dir)):
        yield from (path.relative_to(data_dir) for path in sorted(folder.rglob("*.y*ml")) if path.is_file())
    # After the policies that name them: those of the version before are kept for a day.
    yield from (path.relative_to(data_dir) for path in sorted(lists_dir(data_dir).glob("*.list")))
    for done in sorted(jobs_dir(data_dir).glob("*/outcomes.json")):  # backtests that have ended
        yield from (path.relative_to(data_dir) for path in sorted(done.parent.glob("*.[jy]*")))
    yield from (path.relative_to(data_dir) for path in sorted(data_dir.glob("events/*.db")))


def _rules(data_dir: Path) -> Iterator[Path]:
    """Manifests first: an import meanwhile leaves the files of the version that they name, so that these are found afterwards."""
    place = rules_dir(data_dir)
    manifests = sorted(place.glob(f"*/{PACKAGE}"))
    yield from (path.relative_to(data_dir) for path in manifests)
    for path in sorted(place.rglob("*")):
        if path.is_file() and not path.is_symlink() and path not in manifests:
            yield path.relative_to(data_dir)


def _keys(data_dir: Path) -> Iterator[Path]:
    yield from (path.relative_to(data_dir) for path in sorted(data_dir.glob("keys/*.key")))


def _copy_out(source: Path, target: Path) -> str:
    """Copy a file, a database as it is at one moment; returns its digest."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if source.suffix == ".db":
        try:
            with (
                closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=30)) as read,
                closing(sqlite3.connect(target)) as write,
            ):
                read.backup(write)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{source} cannot be copied: {error}") from None
    else:
        shutil.copyfile(source, target)
    target.chmod(_PRIVATE)
    return _digest(target)


def _copy_in(source: Path, target: Path) -> None:
    private = target.parent.name == "keys"
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700 if private else 0o755)
    try:
        target.touch(_PRIVATE)
        shutil.copyfile(source, target)
    except OSError as error:
        raise StoreUnavailable(f"{target} cannot be written: {error.strerror}") from None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = orjson.loads((folder / MANIFEST).read_bytes())
    except OSError as error:
        raise ConfigError(f"{folder} is not a backup: {MANIFEST} cannot be read: {error.strerror}") from None
    except ValueError:
        raise ConfigError(f"{folder / MANIFEST} is damaged: take another backup") from None
    if any(".." in Path(path).parts or Path(path).is_absolute() for path in manifest["files"]):
        raise ConfigError(f"{folder / MANIFEST} names files outside the backup: it is not ours")
    return manifest
