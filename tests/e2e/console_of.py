"""A console over what the observer has written in a data directory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from test_console import serving

from api.app import create_app
from api.state import state_of
from rules.desk.tuning import Tuning
from rules.lists.known import Lists
from soc.backtest.jobs import Jobs, jobs_dir
from soc.service.api import SOC
from soc.service.process import now_ms
from soc.store.anomalies import SqliteAnomalies, anomalies_file
from soc.store.base import Stores
from soc.store.levels import SqliteLevels
from soc.store.unusual import SqliteUnusual


@contextmanager
def console_of(place: Path, stores: Stores) -> Iterator[str]:
    """Its address."""
    jobs, kept = Jobs(jobs_dir(place), SOC, {"SOC_DATA_DIR": str(place)}), SqliteAnomalies(place)
    state = state_of(
        stores,
        clock=now_ms,
        cookie_secure=False,
        jobs=jobs,
        tuning=Tuning,
        lists_dir=place / "lists",
        known_lists=Lists,
        levels=SqliteLevels(anomalies_file(place)),
        anomalies=kept,
        unusual=SqliteUnusual(anomalies_file(place)),
    )
    with serving(create_app(state)) as address:
        yield address
    jobs.close()
    kept.close()
