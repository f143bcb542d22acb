"""`soc doctor` where nothing runs yet."""

from __future__ import annotations

import orjson
from typer.testing import CliRunner

from soc.buffer.sqlite import EventLog
from soc.cli import build
from soc.store.sqlite import events_dir


def doctor(data_dir):
    result = CliRunner().invoke(build("doctor"), ["doctor", "--json", "--data-dir", str(data_dir)])
    assert result.exit_code == 3
    return [orjson.loads(line) for line in result.stdout.splitlines()]


def test_before_the_first_start_it_says_so_and_asks_the_cluster_all_the_same(tmp_path, monkeypatch):
    [only] = doctor(tmp_path / "data")
    assert "does not exist" in only["found"]
    monkeypatch.setenv("SOC_STORE__URL", "http://127.0.0.1:1")
    data, store = doctor(tmp_path / "data")
    assert data == only
    assert (store["name"], store["state"]) == ("store", "bad")
    assert "nobody listens there" in store["found"]


def test_a_password_in_the_url_is_not_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("SOC_STORE__URL", "elastic:s3cret@es1:9200")
    _, store = doctor(tmp_path / "data")
    assert "holds a user or password" in store["found"]
    assert "s3cret" not in str(store)


def test_an_event_log_at_its_limit_is_said(tmp_path, monkeypatch, make_event):
    log = EventLog(events_dir(tmp_path))
    log.append([make_event(1_772_452_800_000)])
    monkeypatch.setenv("SOC_STORE__MAX_BYTES", "1024")
    full = [check for check in doctor(tmp_path) if "has reached its limit" in check["found"]]
    assert [(check["name"], check["state"]) for check in full] == [("events", "bad")]
    monkeypatch.delenv("SOC_STORE__MAX_BYTES")
    assert not any("limit" in check["found"] for check in doctor(tmp_path))
    log.close()
