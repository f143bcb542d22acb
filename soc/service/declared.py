"""Where administrators declare what the observer looks at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from detector.series.definition import CONTENT, Definitions, load
from soc.service.levels import slo_dir
from soc.service.people import people_dir
from soc.settings import Settings


def series_dir(data_dir: Path) -> Path:
    return data_dir / "series"


def definitions_of(settings: Settings) -> Definitions:
    """What the settings name, or what comes with govsoc and what administrators have added."""
    return load(_series_folders(settings), needed=bool(settings.observe.series))


def _series_folders(settings: Settings) -> Sequence[Path]:
    return settings.observe.series or (series_dir(settings.data_dir), CONTENT)


def declared_in(settings: Settings) -> list[Path]:
    """Everything that an administrator writes for the observer: series, kinds of entities, objectives."""
    people = settings.observe.people or [people_dir(settings.data_dir)]
    return [*_series_folders(settings), *people, slo_dir(settings.data_dir)]
