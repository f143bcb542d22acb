"""What the collector needs of the control data also while Elasticsearch is away, and after its own restart at such a time.

A thread of its own asks for the sources each second, keeps them in memory and in a file of this machine, and writes the latest
report of their health. The collector itself never waits for the server. The price: a source that has just been enrolled or
disabled, or a token, counts up to a second late; while the server is away, what was last known counts.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
import structlog

from soc import telemetry
from soc.complaint import Complaint
from soc.errors import NotFound, SocError, StoreUnavailable
from soc.model.org import Scope
from soc.model.source import Source, SourceHealth
from soc.store.base import HealthStore
from soc.store.elastic.documents import Json
from soc.store.elastic.records.sources import ElasticSources, source_of
from soc.whole import write_whole

log = structlog.get_logger("collector")

_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class _Known:
    revision: int
    sources: Mapping[str, Source]
    by_token: Mapping[str, Source]


def _known(revision: int, documents: Sequence[Json]) -> _Known:
    pairs = [(source_of(document), document["token_hash"]) for document in documents]
    return _Known(
        revision,
        {source.id: source for source, _ in pairs},
        {token: source for source, token in pairs if token is not None},
    )


class KnownSources:
    """`SourceStore` for reading, from what is known and kept in `file`; changes go to the server.

    `load` has to be called before anything is read.
    """

    def __init__(self, store: ElasticSources, file: Path) -> None:
        self._store = store
        self._file = file
        self._known: _Known | None = None

    def load(self) -> None:
        """Ask the server; where it is away, read the file. Raises `StoreUnavailable` when there is neither."""
        try:
            self.refresh()
        except SocError as error:
            if not self._read_file():
                raise
            log.warning("the sources are those last known", reason=str(error), file=str(self._file))

    def refresh(self) -> None:
        """Ask the server, and keep what is new. Raises what the server's store raises."""
        revision = self._store.revision()
        if self._known is not None and revision == self._known.revision:
            return
        documents = self._store.documents()
        known = _known(revision, documents)
        self._write_file(revision, documents)
        self._known = known

    def _read_file(self) -> bool:
        try:
            kept = orjson.loads(self._file.read_bytes())
            self._known = _known(kept["revision"], kept["sources"])
        except (OSError, ValueError, KeyError, TypeError):
            return False
        return True

    def _write_file(self, revision: int, documents: Sequence[Json]) -> None:
        """It holds hashes of tokens: for nobody else to read."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_whole(self._file, orjson.dumps({"revision": revision, "sources": documents}), 0o600)
        except OSError as error:
            raise StoreUnavailable(f"{self._file} cannot be written: {error.strerror}") from None

    @property
    def _now(self) -> _Known:
        if self._known is None:
            raise StoreUnavailable("the sources are not known yet")
        return self._known

    def revision(self) -> int:
        return self._now.revision

    def get(self, source_id: str, scope: Scope) -> Source:
        source = self._now.sources.get(source_id)
        if source is None or not scope.allows(source.org):
            raise NotFound(f"there is no source {source_id}")
        return source

    def by_token(self, token_hash: str) -> Source | None:
        source = self._now.by_token.get(token_hash)
        return source if source and source.enabled else None

    def add(self, source: Source, token_hash: str | None, *, by: str) -> None:
        self._store.add(source, token_hash, by=by)

    def set_enabled(self, source_id: str, enabled: bool, *, by: str) -> None:
        self._store.set_enabled(source_id, enabled, by=by)

    def set_token(self, source_id: str, token_hash: str | None, *, by: str) -> None:
        self._store.set_token(source_id, token_hash, by=by)

    def list(self, scope: Scope) -> list[Source]:
        return [source for source in self._now.sources.values() if scope.allows(source.org)]


class LatestHealth:
    """`HealthStore` that only takes note; `send` writes the latest report. What a report replaces need not be written."""

    def __init__(self, store: HealthStore) -> None:
        self._store = store
        self._latest: Sequence[SourceHealth] | None = None
        self._lock = threading.Lock()

    def report(self, health: Sequence[SourceHealth]) -> None:
        with self._lock:
            self._latest = health

    def send(self) -> None:
        with self._lock:
            latest, self._latest = self._latest, None
        if latest is not None:
            self._store.report(latest)

    def health(self) -> Mapping[str, SourceHealth]:
        return self._store.health()


def keep_in_touch(sources: KnownSources, health: LatestHealth, stop: threading.Event, look_s: float = _LOOK_S) -> None:
    """Until told to stop: ask for the sources, write their health. When the server is away, say so now and then, and go on.

    Nothing that fails ends it: a collector without it would never hear of a source again.
    """
    complaint = Complaint(
        log,
        "the control data is out of reach: going on with the sources last known",
        "the control data is in reach again",
    )
    while not stop.wait(look_s):
        try:
            sources.refresh()
            health.send()
        except Exception as error:  # noqa: BLE001 - it is counted and said
            if not isinstance(error, SocError):
                telemetry.CONTROL_FAILURES.inc()
            complaint.failed(error)
        else:
            complaint.over()
