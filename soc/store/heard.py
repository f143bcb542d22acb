"""Of what that is declared the observer has seen an event."""

from __future__ import annotations

from soc.store.observed import ReadOnly


class Heard(ReadOnly):
    """Names, of any organisation. All of it raises `StoreUnavailable` and `Busy`."""

    @property
    def anything(self) -> bool:
        """Whether it has read any event at all."""
        return bool(self._rows("SELECT 1 FROM cursor WHERE position > 0 LIMIT 1", []))

    def series(self) -> set[str]:
        return self._names("SELECT definition FROM series UNION SELECT definition FROM board WHERE lost > 0")

    def people(self) -> set[str]:
        return self._names("SELECT DISTINCT people FROM crowd_standing")

    def objectives(self) -> set[str]:
        """Of the days that objectives are about."""
        return self._names("SELECT DISTINCT json_extract(body, '$.name') FROM level")

    def _names(self, sql: str) -> set[str]:
        return {name for (name,) in self._rows(sql, [])}
