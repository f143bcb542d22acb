"""What a backtest has done so far, on disk: the same one, asked for again the same day, goes on from there."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson

from soc.backtest.jobs import jobs_dir
from soc.model.finding import local_day
from soc.settings import Settings

_KEPT_S = 7 * 86_400  # then what an interrupted backtest has done is forgotten


@dataclass(frozen=True, slots=True)
class Span:
    """ms since 1970: from a local midnight to the moment at which the backtest was first started."""

    since: int
    until: int


def midnight(day: date, zone: ZoneInfo) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)


def days_ago(now: int, days: int, zone: ZoneInfo) -> int:
    """The local midnight so many whole days before today's (ms)."""
    return midnight(date.fromisoformat(local_day(now, zone)) - timedelta(days=days), zone)


def place_of(settings: Settings, what: object) -> Path:
    """The folder for what JSON can say of a backtest: what has been done there is of use to nothing else. Others that nobody has gone on
    with are removed."""
    folder = settings.data_dir / "backtests"
    place = folder / hashlib.blake2b(orjson.dumps(what), digest_size=12).hexdigest()
    for other in folder.glob("*"):
        if other not in (place, jobs_dir(settings.data_dir)) and other.stat().st_mtime < time.time() - _KEPT_S:
            shutil.rmtree(other, ignore_errors=True)
    return place


def span_of(place: Path, since: int, clock: Callable[[], int]) -> tuple[Span, bool]:
    """As it was noted when the backtest was first started, or from now; whether it had been started before."""
    note = place / "span.json"
    try:
        return Span(**orjson.loads(note.read_bytes())), True
    except (OSError, ValueError, TypeError):
        shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    span = Span(since, clock())
    note.write_bytes(orjson.dumps(asdict(span)))
    return span, False
