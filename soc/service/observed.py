"""What `soc detector` asks: a time of a series, and what the definitions of now would have made of stored events."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

from detector.observe import Observer
from detector.series.definition import Definition, load
from soc.errors import ConfigError
from soc.model.anomaly import Anomaly, Series
from soc.model.org import Scope
from soc.service.declared import definitions_of
from soc.service.harmless import KnownHarmless
from soc.service.levels import KnownSurges
from soc.service.merges import KnownMerges
from soc.service.process import relax_garbage_collection
from soc.service.stores import open_history, open_stores
from soc.settings import Settings
from soc.store.anomalies import SqliteAnomalies

_BATCH = 5000
_COMMIT_EVENTS = 200_000
MOST = 10_000  # anomalies that are told


@contextmanager
def tried(
    settings: Settings, folder: Path | None, scope: Scope, since: int, until: int
) -> Iterator[tuple[SqliteAnomalies, int]]:
    """The anomalies that the definitions (of a folder, or those that run) find in stored events, and how many events there were.
    Surges and what is harmless count as they are laid down now, and no more series are made than the observer makes. Nothing is kept, and
    nobody is told. Raises `ConfigError` when no definition can be used."""
    definitions = load([folder]) if folder else definitions_of(settings)
    if not definitions.by_name:
        why = "; ".join(map(str, definitions.faults)) or "there is none"
        raise ConfigError(f"no definition of series can be used: {why}")
    policies = open_stores(settings).policies
    harmless, surges, merges = KnownHarmless(policies), KnownSurges(policies), KnownMerges(policies, settings)
    harmless.load()
    surges.load()
    merges.load()
    relax_garbage_collection()
    with (
        tempfile.TemporaryDirectory() as place,
        closing(SqliteAnomalies(Path(place))) as kept,
        open_history(settings, scope, since, until) as history,
    ):
        observer = Observer(
            definitions.by_name, ZoneInfo(settings.detect.zone), kept,
            surges=surges, strength_of=harmless.strength, merges=merges.of, most=settings.observe.most_series,
        )  # fmt: skip
        cursor, events, uncommitted = dict[str, int](), 0, 0
        while True:
            batch = history.read(cursor, _BATCH)
            observer.feed(batch.events)
            cursor, events, uncommitted = (
                dict(batch.cursor),
                events + len(batch.events),
                uncommitted + len(batch.events),
            )
            if uncommitted >= _COMMIT_EVENTS or not batch.events:
                kept.commit(observer.progress({}))
                uncommitted = 0
            if not batch.events:
                break
        yield kept, events


def anomalies_of(kept: SqliteAnomalies, scope: Scope) -> list[Anomaly]:
    """The oldest first; of more than `MOST` the newest."""
    return kept.list(scope, limit=MOST)[::-1]


def named(series: Series, definition: Definition | None) -> str:
    """A series in one line."""
    key = " + ".join(value or "(none)" for value in series.key)
    other = "(other)" if definition and definition.group_by and not series.key else ""
    return f"{series.board.definition} {key or other}".strip()
