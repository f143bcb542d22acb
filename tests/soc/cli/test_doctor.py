"""`soc doctor` where nothing runs yet."""

from __future__ import annotations

from dataclasses import replace

import orjson
from levels_made import level, observed
from observing import append, watching
from streams import receipts
from typer.testing import CliRunner

from soc.buffer.sqlite import EventLog
from soc.cli import build
from soc.model.account import Account, Role
from soc.model.delivery import Delivery, DeliveryState
from soc.model.org import EVERYTHING
from soc.model.policy import Policy, PolicyKind
from soc.notify.route import Channel, Route, body_of
from soc.service.declared import definitions_of
from soc.settings import Settings
from soc.store.anomalies import anomalies_file
from soc.store.sqlite import events_dir, open_stores


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
    assert not any("has reached its limit" in check["found"] for check in doctor(tmp_path))
    log.close()


def test_notifications_are_looked_at(tmp_path, monkeypatch):
    stores = open_stores(tmp_path)

    def said():
        return [(check["state"], check["found"]) for check in doctor(tmp_path) if check["name"] == "notifications"]

    assert said() == [("ok", "no routes: nobody is told of alerts but who looks")]
    stores.accounts.put(Account("lan", Role.ADMIN, EVERYTHING), None, by="test")
    mail = Route("m", "On duty", Channel.EMAIL, ("a@b.vn",))
    hook = Route("h", "Chat\x1b[31m", Channel.WEBHOOK, url="https://chat.vn/token", secret="s")
    for route, by in ((mail, "lan"), (hook, "minh")):
        stores.policies.put(Policy(PolicyKind.ROUTE, route.id, 1, body_of(route), by, 1))
    tried = Delivery("d1", "h", "a", "H42", "raised", 1, 2, 3, attempts=4, error="chat.vn answered 503")
    given_up = replace(tried, id="d2", state=DeliveryState.FAILED, error="chat.vn answered 410")
    stores.deliveries.add([tried, given_up, replace(tried, id="d3", route_id="m", attempts=0, error="")])
    (_, first), *others = said()
    assert first == "2 routes, 2 of them on; 2 deliveries wait"
    assert [state for state, _ in others] == ["bad", "warn", "warn", "warn"]
    assert "no mail server is set" in others[0][1]
    assert others[1][1].startswith("route h (Chat")
    assert others[1][1].endswith("to chat.vn: 1 wait, the last try said: chat.vn answered 503")
    assert others[2][1] == "1 could not be delivered in the last 30 days, the newest: chat.vn answered 410"
    assert "minh, who laid it down, is gone" in others[3][1]
    assert "token" not in str(others)
    assert "\x1b" not in str([found for _, found in others])
    monkeypatch.setenv("SOC_NOTIFY__SMTP_HOST", "mail.vn")
    assert "bad" not in [state for state, _ in said()]


def test_what_the_observer_cannot_use_is_said_with_its_place(tmp_path):
    open_stores(tmp_path)
    for folder in ("series", "slo", "people"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "own.yml").write_text("name: Calls\nmeasure: median\n")
    said = [check for check in doctor(tmp_path) if check["name"] in ("series", "objectives", "people")]
    assert {check["name"] for check in said if check["state"] == "ok"} == {"series", "objectives", "people"}
    bad = {check["name"]: check["found"] for check in said if check["state"] == "bad"}
    assert f"{tmp_path}/series/own.yml:" in bad["series"]
    assert f"{tmp_path}/slo/own.yml:" in bad["objectives"]
    assert f"{tmp_path}/people/own.yml:" in bad["people"]


def test_an_objective_of_which_no_event_was_ever_good_is_named_with_its_file(tmp_path):
    open_stores(tmp_path)
    (tmp_path / "slo").mkdir()
    own = tmp_path / "slo" / "own.yml"
    own.write_text(
        "name: arrived\ntitles: {vi: Tới, en: Arrived}\nsystem: otp\nmeasure: success\ndatasets: [otp.gateway]\n"
        "good: event.outcome:sucess\nobjective: 97\n"
    )
    levels = [level(org, name="arrived", bad=1000, burning=False, ever_good=False) for org in ("hungyen", "ninhbinh")]
    observed(anomalies_file(tmp_path), [*levels, level("hungyen")])
    (warning,) = [one for one in doctor(tmp_path) if one["name"] == "objectives" and one["state"] == "warn"]
    assert warning["found"].startswith("arrived: no event was ever good, of 2,000 in 28 d")
    assert f"check `good` in {own}" in warning["advice"]


SERIES = """
name: own-{0}
system: otp
titles: {{vi: a, en: b}}
dataset: otp.{0}
measure: count
"""
OBJECTIVE = """
name: own-{0}
system: otp
titles: {{vi: a, en: b}}
measure: success
datasets: [otp.{0}]
good: event.outcome:success
objective: 97
"""
KIND = """
name: own-{0}
system: otp
titles: {{vi: a, en: b}}
datasets: [otp.gateway]
entity: [{1}]
what: [event.outcome]
"""


def test_what_an_administrator_declared_and_no_event_is_of_is_named_with_its_file(tmp_path):
    """Not before the observer has read anything, and never ours."""
    open_stores(tmp_path)
    for folder, text in (("series", SERIES), ("slo", OBJECTIVE), ("people", KIND)):
        (tmp_path / folder).mkdir()
        both = [text.format("gateway", "govsoc.otp.carrier"), text.format("gatway", "govsoc.otp.carier")]
        (tmp_path / folder / "own.yml").write_text("---".join(both))

    def said() -> list[tuple[str, str, str]]:
        kinds = ("series", "objectives", "people")
        return [
            (one["name"], one["found"], one["advice"])
            for one in doctor(tmp_path)
            if one["name"] in kinds and one["state"] != "ok"
        ]

    assert said() == []
    append(tmp_path, receipts(5, 15, 1))
    settings = Settings(data_dir=tmp_path)
    with watching(tmp_path, definitions_of(settings)) as (observing, _):
        assert said() == []
        observing.drain()
    found = said()
    assert [(name, said_of) for name, said_of, _ in found] == [
        (name, "own-gatway: the observer has seen no event of it lately") for name in ("series", "objectives", "people")
    ]
    assert all(
        f"in {tmp_path}/{folder}/own.yml" in advice
        for (*_, advice), folder in zip(found, ("series", "slo", "people"), strict=True)
    )


def test_a_damaged_database_of_series_hides_no_other_check(tmp_path):
    open_stores(tmp_path)
    anomalies_file(tmp_path).write_bytes(b"no database at all" * 1000)
    said = doctor(tmp_path)
    assert len(said) > 10
    assert [one["state"] for one in said if one["name"] == "objectives"] == ["ok", "bad"]
