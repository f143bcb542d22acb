"""Notifications from a terminal."""

from __future__ import annotations

import orjson
import pytest
from receivers import Hook
from typer.testing import CliRunner

from soc.cli import notify
from soc.errors import NotFound
from soc.model.delivery import Delivery, DeliveryState
from soc.model.policy import Policy, PolicyKind
from soc.notify.route import Channel, Route, body_of
from soc.store.sqlite import open_stores

NOON = 1_772_452_800_000


@pytest.fixture
def hook():
    hook = Hook("s3cret")
    hook.start()
    yield hook
    hook.stop()


@pytest.fixture
def stores(tmp_path, hook):
    stores = open_stores(tmp_path)
    route = Route("chat", "Zalo \x1b[31m", Channel.WEBHOOK, url=hook.url, orgs=("H42",), secret="s3cret")
    stores.policies.put(Policy(PolicyKind.ROUTE, "chat", 1, body_of(route), "lan", NOON))
    failed = Delivery(
        "ab" * 12,
        "chat",
        "cd" * 12,
        "H42",
        "raised",
        NOON,
        NOON,
        NOON,
        DeliveryState.FAILED,
        error="127.0.0.1 answered 404",
    )
    stores.deliveries.add([failed])
    return stores


@pytest.fixture
def run(tmp_path, monkeypatch, stores):
    monkeypatch.setenv("SOC_NOTIFY__ALLOWED_NETWORKS", '["127.0.0.0/8"]')

    def invoke(*arguments):
        result = CliRunner().invoke(notify.app, [*arguments, "--data-dir", str(tmp_path)])
        assert "s3cret" not in result.output
        return result

    return invoke


def test_routes_are_listed_without_their_secrets(run):
    output = run("routes").output
    assert "webhook: 127.0.0.1" in output
    assert "\x1b" not in output
    assert orjson.loads(run("routes", "--json").output)["orgs"] == ["H42"]


def test_a_test_says_what_came_of_it(run, hook):
    result = run("test", "chat")
    assert (result.exit_code, result.output) == (0, "it arrived: 127.0.0.1 answered 200\n")
    assert hook.got[0]["test"] is True
    hook.answer = (500, {})
    result = run("test", "chat")
    assert (result.exit_code, result.output) == (3, "it did not arrive: 127.0.0.1 answered 500\n")
    assert isinstance(run("test", "other").exception, NotFound)


def test_what_is_not_allowed_by_the_settings_is_not_reached(run, hook, monkeypatch):
    monkeypatch.setenv("SOC_NOTIFY__ALLOWED_NETWORKS", "[]")
    result = run("test", "chat")
    assert result.exit_code == 3
    assert "not on the Internet" in result.output
    assert hook.headers == []


def test_what_could_not_be_delivered_is_tried_again(run, stores):
    assert "127.0.0.1 answered 404" in run("failed").output
    assert orjson.loads(run("failed", "--json").output)["state"] == "failed"
    assert "goes out again" in run("retry", "ab" * 12).output
    assert [d.id for d in stores.deliveries.pending("chat")] == ["ab" * 12]
    assert "Everything has been delivered" in run("failed").output
    assert [e.action for e in stores.audit.list(limit=1).items] == ["delivery.retry"]
