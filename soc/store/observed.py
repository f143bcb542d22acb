"""What the readers of `anomaly.db` share: the observer alone writes it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import orjson

from soc.buffer.database import explain
from soc.model.org import Scope

_WAIT_S = 10.0


class ReadOnly:
    """A file that the observer writes; before it has, there is nothing. It is only read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def _rows(self, sql: str, values: list[Any]) -> list[tuple[Any, ...]]:
        """Raises `StoreUnavailable` and `Busy`."""
        if not self._path.exists():
            return []
        try:
            db = sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True, timeout=_WAIT_S)
            try:
                return db.execute(sql, values).fetchall()
            finally:
                db.close()
        except sqlite3.Error as error:
            if "no such table" in str(error):  # the observer has just made the file
                return []
            raise explain(error, self._path) from error


def within(scope: Scope) -> tuple[str, list[Any]]:
    """A condition on the column `org`, and its values."""
    if scope.orgs is None:
        return "1", []
    return "org IN (SELECT value FROM json_each(?))", [orjson.dumps(sorted(scope.orgs)).decode()]
