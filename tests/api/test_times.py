"""How long alerts wait until somebody takes them up, and until they are closed."""

from __future__ import annotations

from api import times
from soc.model.alert import Decision, Status, Verdict
from soc.model.org import EVERYTHING
from soc.telemetry import ACKNOWLEDGED_AFTER

MINUTE = 60_000


def act(world, id_, minutes, status, verdict=None):
    world.stores.triage.change(
        id_, Decision(status=status, verdict=verdict), by="lan", now=world.now + minutes * MINUTE
    )


def test_median_and_tail_of_each_level(client_of, world):
    alerts = [world.alerts["hungyen"]] + [world.fire("hungyen", 1, f"198.51.100.{n}") for n in range(4)]
    for minutes, id_ in zip((1, 2, 3, 40), alerts, strict=False):
        act(world, id_, minutes, Status.ACKNOWLEDGED)
    act(world, alerts[0], 11, Status.CLOSED, Verdict.BENIGN)
    [high] = client_of("analyst").get("/api/v1/alerts/times?days=1").json()["items"]
    assert high == {
        "level": "high", "raised": 5, "waiting": 1, "closed": 1, "acknowledge_median_s": 150.0, "acknowledge_p90_s": 2400.0,
        "resolve_median_s": 660.0, "resolve_p90_s": 660.0,
    }  # fmt: skip


def test_closing_at_once_is_taking_up_and_reopening_forgets_the_end_but_not_that(world):
    id_ = world.alerts["hungyen"]
    act(world, id_, 5, Status.CLOSED, Verdict.BENIGN)
    act(world, id_, 6, Status.NEW)
    triage = world.stores.alerts.get(id_, EVERYTHING).triage
    assert (triage.acknowledged_at, triage.closed_at) == (world.now + 5 * MINUTE, None)


def test_nothing_is_counted_of_other_organisations_or_before_the_time(client_of, world):
    assert [one["raised"] for one in client_of("outsider").get("/api/v1/alerts/times").json()["items"]] == [1]
    world.now += 3 * 86_400_000
    assert client_of("outsider").get("/api/v1/alerts/times?days=2").json()["items"] == []


def test_very_many_are_cut_and_that_is_said(world, monkeypatch):
    monkeypatch.setattr(times, "MOST_ALERTS", 2)
    monkeypatch.setattr(times, "_PAGE", 1)
    [high], whole = times.times(world.stores.alerts, EVERYTHING, 0)
    assert (high.raised, whole) == (2, False)


def test_prometheus_is_told_when_it_is_known(client_of, world):
    def count():
        return ACKNOWLEDGED_AFTER.labels("high")._sum.get()

    before = count()
    world.now += 7 * MINUTE
    client_of("analyst").patch(
        f"/api/v1/alerts/{world.alerts['hungyen']}", json={"version": 0, "status": "acknowledged"}
    )
    assert count() - before == 420
