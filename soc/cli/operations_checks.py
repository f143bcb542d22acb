"""What `soc doctor` says of how govsoc is operated: who may read its data, how old the last backup is, whether its units are those of
this version, and which certificates end soon."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from soc.cli.check import Check
from soc.settings import Settings

UNITS = Path("/etc/systemd/system")
SHIPPED = Path(__file__).parents[2] / "deploy" / "systemd"
LAST_BACKUP = "last-backup"  # in the data directory: its time is that of the last backup that was whole, its text where
_DAY_S = 86_400
_OLD_DAYS = 7
_CERTIFICATE = "soc_probe_certificate_left_seconds"
_CERTIFICATE_DAYS = 14  # as the alert GovsocCertificateEnds has it


def operations_checks(settings: Settings, units: Path = UNITS, shipped: Path = SHIPPED) -> Iterator[Check]:
    yield _rights(settings.data_dir)
    yield _backup(settings.data_dir)
    yield from _units(units, shipped)


def note_backup(data_dir: Path, place: Path) -> None:
    """A backup was made there."""
    made = data_dir / f"{LAST_BACKUP}.new"  # put in place, as the last one may have been noted by another account
    made.write_text(f"{place.resolve()}\n")
    made.replace(data_dir / LAST_BACKUP)


def _rights(folder: Path) -> Check:
    mode = folder.stat().st_mode & 0o777
    found = f"{folder.resolve()} has mode {mode:03o}"
    if mode & 0o007:
        return Check("rights", "warn", found, "every account of this machine can look into it: chmod 0700")
    return Check("rights", "ok", found)


def _backup(folder: Path) -> Check:
    noted = folder / LAST_BACKUP
    if not noted.exists():
        return Check("backup", "warn", "there has never been one", "soc backup FOLDER; each night: docs/operations.md")
    days = (time.time() - noted.stat().st_mtime) / _DAY_S
    found = f"{days:.1f} days old, in {noted.read_text().strip()}"
    if days > _OLD_DAYS:
        return Check("backup", "warn", found, "soc backup FOLDER, and see why the timer did not: docs/operations.md")
    return Check("backup", "ok", found)


def _units(folder: Path, shipped: Path) -> Iterator[Check]:
    """Where systemd runs govsoc: an upgrade that leaves old units behind leaves old limits, too."""
    mine = sorted(shipped.glob("govsoc*.*"))
    there = [unit for unit in mine if (folder / unit.name).exists()]
    if not there:
        return
    stale = [unit.name for unit in there if (folder / unit.name).read_bytes() != unit.read_bytes()]
    missing = [unit.name for unit in mine if unit.suffix == ".service" and unit not in there]
    advice = (
        f"cp {shipped}/govsoc* {folder}/ && systemctl daemon-reload; changes of your own belong into `systemctl edit`"
    )
    if missing:
        yield Check("units", "warn", f"not installed: {', '.join(missing)}", advice)
    elif stale:
        yield Check("units", "warn", f"not those of this version: {', '.join(stale)}", advice)
    else:
        yield Check("units", "ok", f"{len(there)} units of this version in {folder}")


def certificate_checks(settings: Settings) -> Iterator[Check]:
    """Of the probed certificates, as the collector knows them: the first to end of each ministry or province. None while it does not run,
    which is said elsewhere."""
    url = f"http://{settings.collect.http_host}:{settings.collect.http_port}/metrics"
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:
            families = list(text_string_to_metric_families(answer.read().decode()))
    except (OSError, ValueError):
        return
    for sample in (one for family in families if family.name == _CERTIFICATE for one in family.samples):
        days = sample.value / _DAY_S
        name = f"certificate {sample.labels['unit']}"
        advice = "have it renewed: the alerts and lines of `probe.check` name the target"
        if days <= 0:
            yield Check(name, "bad", f"the first to end of those that are probed ended {-days:.0f} days ago", advice)
        else:
            soon = days < _CERTIFICATE_DAYS
            found = f"the first to end of those that are probed has {days:.0f} days left"
            yield Check(name, "warn" if soon else "ok", found, advice if soon else "")
