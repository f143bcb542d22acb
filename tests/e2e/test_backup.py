"""A backup that was taken while everything ran, restored into an empty place: everything is there, and the work goes on."""

from __future__ import annotations

import json
import sqlite3
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from elastic import empty
from servers import Product, both_stores, eventually

pytestmark = pytest.mark.server


def line(i: int, path: str) -> str:
    stamp = (datetime.now(UTC) - timedelta(minutes=1)).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'10.0.0.{i % 250} - - [{stamp}] "GET {path} HTTP/1.1" 200 5 "-" "Mozilla/5.0"\n'


ATTACK = "/tra-cuu?ma=1%27%20UNION%20SELECT%20ten,so%20FROM%20ho_so--"


def documents(server) -> dict[str, dict]:
    """Index/id -> document of everything that the server has; health and sessions change by themselves."""
    server.request("POST", "/govsoc-*/_refresh")
    found = server.request("POST", "/govsoc-*,-govsoc-health/_search", {"size": 10_000, "version": True})["hits"][
        "hits"
    ]
    return {f"{hit['_index']}/{hit['_id']}": hit["_source"] for hit in found}


def rows(data_dir: Path) -> dict[str, list]:
    """All that the databases hold, but for the observer's: it writes how far it has come when it is stopped, which is after the copy."""
    found = {}
    for path in sorted([*data_dir.glob("*.db"), *data_dir.glob("events/*.db")]):
        if path.name == "anomaly.db":
            continue
        db = sqlite3.connect(path)
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"):
            if table != "health":
                found[f"{path.relative_to(data_dir)}/{table}"] = sorted(map(repr, db.execute(f"SELECT * FROM {table}")))
        db.close()
    return found


def files(data_dir: Path) -> dict[str, tuple[bytes, int]]:
    kept = [*data_dir.glob("keys/*"), *data_dir.glob("sources.json")]
    return {str(p.relative_to(data_dir)): (p.read_bytes(), stat.S_IMODE(p.stat().st_mode)) for p in kept}


@both_stores
def test_everything_comes_back_and_goes_on(product, store, request, tmp_path):
    server = request.getfixturevalue("elastic") if store else None
    log = tmp_path / "access.log"
    log.write_text("".join(line(i, ATTACK if i % 10 == 0 else f"/thu-tuc/{i}") for i in range(300)))
    product.soc("sources", "add", "portal", "--type", "nginx.access", "--org", "hungyen.001", "--path", str(log))
    (product.data_dir / "series").mkdir()
    (product.data_dir / "series" / "own.yml").write_text("# mine\n")
    product.start()
    eventually(lambda: product.examined() >= 300, 60, "all is examined")
    found = eventually(product.alerts, 30, "alerts")
    product.soc("alerts", "close", found[0]["id"], "--verdict", "true_positive", "-m", "đã chặn địa chỉ")
    if server:
        eventually(lambda: len([d for d in documents(server) if "govsoc-events-" in d]) == 300, 60, "all is indexed")
    before = product.alerts()

    where = ["--location", str(server.snapshots / "backups")] if server else []
    output = product.soc("backup", str(tmp_path / "backups"), *where).stdout.decode()
    [made] = (tmp_path / "backups").iterdir()
    assert str(made) in output
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    manifest = json.loads((made / "manifest.json").read_text())
    assert any(name.startswith("keys/") for name in manifest["files"])
    assert {"anomaly.db", "series/own.yml"} <= manifest["files"].keys()

    product.stop()
    old = rows(product.data_dir), files(product.data_dir), documents(server) if server else {}
    refused = product.soc("restore", str(made), check=False)
    assert refused.returncode == 2
    assert "is not empty" in refused.stderr.decode()
    again = Product(tmp_path / "again", store)
    if server:
        refused = again.soc("restore", str(made), check=False)
        assert "restore into an empty one" in refused.stderr.decode()
        assert not list((tmp_path / "again").glob("*.db")), "refused before anything was done"
        empty(server)
    again.soc("restore", str(made))
    assert (rows(again.data_dir), files(again.data_dir), documents(server) if server else {}) == old

    try:
        again.key = product.key
        again.start()
        assert again.alerts() == before, "the same key, the same alerts with what was decided"
        with log.open("a") as file:
            file.writelines(line(i, ATTACK if i % 10 == 0 else f"/ho-so/{i}") for i in range(300, 400))
        eventually(lambda: again.examined() >= 100, 60, "it goes on where it was")
        assert again.examined() == 100, "and does nothing again"
        now = {alert["id"]: alert for alert in again.alerts()}
        assert sum(alert["count"] for alert in now.values()) > sum(alert["count"] for alert in before)
        assert now[found[0]["id"]]["status"] == "closed"
    finally:
        again.stop()


def test_a_damaged_or_foreign_backup_changes_nothing(product, tmp_path):
    product.soc("sources", "add", "portal", "--type", "nginx.access", "--org", "hungyen", "--push")
    product.soc("backup", str(tmp_path / "backups"))
    [made] = (tmp_path / "backups").iterdir()
    again = Product(tmp_path / "again")
    for harm, expected in (
        (lambda: (made / "data" / "control.db").write_bytes(b"x"), "control.db is missing or damaged"),
        (lambda: (made / "manifest.json").write_text("{"), "manifest.json is damaged"),
        (lambda: (made / "manifest.json").write_text('{"files": {"../x": ""}}'), "outside the backup"),
        (lambda: (made / "manifest.json").unlink(), "is not a backup"),
    ):
        harm()
        refused = again.soc("restore", str(made), check=False)
        assert refused.returncode == 2
        assert expected in refused.stderr.decode()
        assert len(refused.stderr.splitlines()) == 1
        assert not (tmp_path / "again").exists()
