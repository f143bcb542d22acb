"""Service levels on disk: read back as they were, and what the observer goes on with."""

from __future__ import annotations

from levels_made import level, observed

from soc.buffer.database import Database
from soc.model.org import EVERYTHING, Scope
from soc.store.levels import SCHEMA, SqliteLevels, state, write


def test_read_back_as_written(tmp_path):
    file, levels = tmp_path / "anomaly.db", [level("h"), level("h", name="b", burning=False), level("n")]
    assert SqliteLevels(file).worst(EVERYTHING) == ([], 0)
    assert not file.exists(), "reading makes nothing"
    Database(file, ()).row("SELECT 1")
    assert SqliteLevels(file).page(EVERYTHING).items == ()
    file.unlink()
    observed(file, levels)
    assert SqliteLevels(file).worst(EVERYTHING)[0] == [levels[0], levels[2], levels[1]]
    assert SqliteLevels(file).worst(EVERYTHING, limit=1) == ([levels[0]], 3)
    assert SqliteLevels(file).page(Scope(frozenset({"n"}))).items == (levels[2],)
    assert SqliteLevels(file).page(Scope(frozenset())).items == ()


def test_what_the_observer_goes_on_with(tmp_path):
    db = Database(tmp_path / "anomaly.db", (SCHEMA,))
    with db.write() as connection:
        write(connection, None, {"a": b"1", "b": b"2"})
    with db.write() as connection:
        write(connection, [level("h")], {"a": None, "b": b"3"})
        assert state(connection) == {"b": b"3"}
    with db.write() as connection:
        write(connection, None, {})
    assert SqliteLevels(db.path).worst(EVERYTHING)[1] == 1
    db.close()
