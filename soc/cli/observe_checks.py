"""What `soc doctor` says of what the observer reads: definitions of series, objectives of services, and kinds of entities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from detector.health.burn import PERIOD_DAYS
from detector.health.definition import CONTENT
from detector.health.definition import load as objectives
from detector.series.definition import is_ours
from soc.cli.check import Check
from soc.errors import Busy, StoreUnavailable
from soc.service.declared import definitions_of
from soc.service.levels import slo_dir
from soc.service.people import declared
from soc.settings import Settings
from soc.store.anomalies import anomalies_file
from soc.store.heard import Heard
from soc.store.levels import SqliteLevels


class _Declared(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def path(self) -> str: ...


def observe_checks(settings: Settings) -> Iterator[Check]:
    known, wrong = definitions_of(settings), objectives((slo_dir(settings.data_dir), CONTENT))
    people = declared(settings)
    yield Check("series", "ok", f"{len(known.by_name)} definitions")
    yield Check("objectives", "ok", f"{len(wrong[0])} of services")
    yield Check("people", "ok", f"{len(people.by_name)} kinds of entities")
    for what, faults in (("series", known.faults), ("objectives", wrong[1]), ("people", people.faults)):
        for fault in faults:
            yield Check(what, "bad", str(fault), "mend the file, and it is read again; the others run")
    file = anomalies_file(settings.data_dir)
    try:
        yield from _never_good(SqliteLevels(file), {slo.name: slo.path for slo in wrong[0]})
        heard = Heard(file)
        if heard.anything:
            yield from _unheard("series", known.by_name.values(), heard.series(), "`dataset`, `where` and `join`")
            yield from _unheard("objectives", wrong[0], heard.objectives(), "`datasets` and `where`")
            yield from _unheard("people", people.by_name.values(), heard.people(), "`datasets`, `where` and `entity`")
    except (Busy, StoreUnavailable) as error:
        yield Check("objectives", "bad", str(error), "see whether `soc observe` runs, and what it says of this file")


def _unheard(what: str, declared: Iterable[_Declared], heard: set[str], fields: str) -> Iterator[Check]:
    """Those of an administrator that no event was of. Ours wait for systems that a province may not have."""
    for one in declared:
        if one.name not in heard and not is_ours(one.path):
            advice = f"check {fields} in {one.path}; or does nothing of it come yet?"
            yield Check(what, "warn", f"{one.name}: the observer has seen no event of it lately", advice)


def _never_good(levels: SqliteLevels, files: Mapping[str, str]) -> Iterator[Check]:
    """Objectives of which no event was good: what they say is worth nothing, or the service is down. They alarm nobody."""
    counted = Counter[str]()
    for level in levels.never_good():
        counted[level.name] += level.total
    for name, events in sorted(counted.items()):
        found = f"{name}: no event was ever good, of {events:,} in {PERIOD_DAYS} d; until one is, it alarms nobody"
        where = f" in {files[name]}" if name in files else ""
        yield Check("objectives", "warn", found, f"check `good`{where}; or is the service down since its first event?")
