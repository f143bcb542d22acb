"""An observer over an event log of its own, for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from detector.series.definition import Definitions
from soc.buffer.sqlite import EventLog
from soc.model.event import Stored
from soc.model.unusual import Unusual
from soc.service.observer import Watching
from soc.settings import Observe, Settings
from soc.store.anomalies import SqliteAnomalies
from soc.store.sqlite import events_dir

NO_SERIES = Definitions({}, ())  # where only service levels, or only entities, are looked at


@contextmanager
def watching(
    place: Path, definitions: Definitions, judged: Callable[[Unusual], Unusual] = lambda one: one, **observe: object
) -> Iterator[tuple[Watching, SqliteAnomalies]]:
    settings = Settings(data_dir=place, observe=Observe(**observe))
    log, kept = EventLog(events_dir(place)), SqliteAnomalies(place)
    yield Watching(settings, log, kept, definitions, judged=judged), kept
    log.close()
    kept.close()


def append(place: Path, events: Iterable[Stored]) -> None:
    log = EventLog(events_dir(place))
    log.append(list(events))
    log.close()
