"""Facts of alerts on a real server: those of the set of findings, whatever dies in between and whoever writes at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from mortal import Killed, mortal
from proxy import Answer, proxy

from soc.errors import Busy, StoreUnavailable
from soc.model.alert import Decision, Status
from soc.model.finding import Finding, alert_id, finding_id
from soc.model.org import EVERYTHING
from soc.model.rule import RuleDoc
from soc.store.base import AlertFilter
from soc.store.elastic.admin import setup
from soc.store.elastic.client import Client, connect
from soc.store.elastic.open import open_detections, open_stores

pytestmark = pytest.mark.server

NOON = 1_772_452_800_000
RULE = RuleDoc("r-1", "hash-1", "SSH brute force", "high", "title: SSH brute force")


@pytest.fixture
def client(elastic):
    with connect(elastic.url) as client:
        setup.install(client)
        yield client


def finding(entity: str, number: int) -> Finding:
    """The finding of event `number`; findings of one entity are one alert."""
    alert, event = alert_id(RULE.id, "hungyen", entity, "2026-03-02"), f"{NOON + number:012x}{number:020x}"
    ids = (finding_id(alert, event), alert, RULE.id, RULE.hash)
    return Finding(*ids, "hungyen", "source.ip", entity, NOON + number, event, {"source.ip": entity})


def commit(detections, findings, cursor=0, now=NOON):
    return detections.commit(findings, {RULE.hash: RULE}, {}, {"2026-03-02": cursor}, None, now)


def facts(client: Client, entity: str) -> tuple[int, int, int] | None:
    alerts = open_stores(client).alerts.list(AlertFilter(entity=entity), EVERYTHING).items
    assert len(alerts) <= 1
    return (alerts[0].count, alerts[0].first_seen - NOON, alerts[0].last_seen - NOON) if alerts else None


@pytest.mark.parametrize("answered", [False, True], ids=["before the server has it", "after the server has done it"])
@pytest.mark.parametrize("known", [False, True], ids=["new alert", "known alert"])
@pytest.mark.parametrize("again", ["the same batch", "another cut", "never"])
def test_a_detector_that_dies_anywhere_gives_exact_facts_at_the_next_commit(
    elastic, client, tmp_path, answered, known, again
):
    points = 0
    while True:
        entity, folder = f"10.0.0.{points}", tmp_path / str(points)
        if known:
            commit(open_detections(client, folder), [finding(entity, 50)])
        batch = [finding(entity, number) for number in (40, 60, 70)]
        dying = mortal(elastic.url, points + 1, answered)
        try:
            first = commit(open_detections(dying, folder), batch, 9)
        except Killed:
            first = None
        dying.close()
        detections = open_detections(client, folder)
        if first is not None:
            break  # it got through before its time
        points += 1
        assert detections.cursor() == ({"2026-03-02": 0} if known else {}), "nothing was noted as read"
        if again == "never":  # the rule is gone; what became of the batch is whatever the server has
            commit(detections, [])
            stored = client.count(index="govsoc-findings-*", query={"prefix": {"alert_id": batch[0].alert_id}})["count"]
            assert (facts(client, entity) or (0,))[0] == stored
            continue
        cuts = [batch] if again == "the same batch" else [[batch[1], finding(entity, 80)], [batch[0]], [batch[2]]]
        raised = [id_ for cut in cuts for id_ in commit(detections, cut)]
        assert raised == ([] if known else [batch[0].alert_id]), "an alert is raised once"
        assert facts(client, entity) == (3 + known + (len(cuts) > 1), 40, 80 if len(cuts) > 1 else 70)
        detections.close()
    assert points >= 4, "alerts read, rule kept, findings stored, facts written"


def test_an_alert_whose_writing_had_to_wait_is_raised_when_it_is_written(elastic, client, tmp_path):
    """Who is told of alerts looks for those raised of late: one that says it was raised an hour ago would be passed by."""
    hour, written_late, points = 3_600_000, 0, 0
    while True:
        entity, folder = f"10.0.1.{points}", tmp_path / str(points)
        points += 1
        dying = mortal(elastic.url, points, False)
        try:
            commit(open_detections(dying, folder), [finding(entity, 1)], now=NOON)
            break
        except Killed:
            there = facts(client, entity) is not None
        commit(open_detections(client, folder), [finding(entity, 1)], now=NOON + hour)
        [alert] = open_stores(client).alerts.list(AlertFilter(entity=entity), EVERYTHING).items
        assert alert.raised_at == (NOON if there else NOON + hour)
        written_late += not there
    assert written_late >= 2


def test_a_batch_that_was_there_already_is_counted_not_added(client, tmp_path):
    batch = [finding("10.0.0.1", number) for number in range(5)]
    commit(open_detections(client, tmp_path / "a"), batch)
    # Another data directory, as after a restore: it knows nothing of what has been done.
    assert commit(open_detections(client, tmp_path / "b"), [*batch[3:], finding("10.0.0.1", 9)]) == []
    assert facts(client, "10.0.0.1") == (6, 0, 9)


def test_more_findings_and_alerts_than_fit_into_a_request(client, tmp_path, monkeypatch):
    monkeypatch.setattr("soc.store.elastic.records.detections._FINDINGS_AT_ONCE", 7)
    monkeypatch.setattr("soc.store.elastic.records.detections._ALERTS_AT_ONCE", 3)
    batch = [finding(f"10.0.1.{number % 10}", number) for number in range(50)]
    assert len(commit(open_detections(client, tmp_path / "a"), batch)) == 10
    assert commit(open_detections(client, tmp_path / "b"), batch) == []
    for last in range(10):
        assert facts(client, f"10.0.1.{last}") == (5, last, 40 + last)


BREAKER = b'{"error": {"type": "circuit_breaking_exception", "reason": "Data too large"}, "status": 429}'


@pytest.mark.parametrize(
    "answer", [Answer(413), Answer(429, BREAKER, "application/json", own=True)], ids=["too large", "too much"]
)
def test_large_findings_go_in_requests_that_the_server_takes(elastic, client, tmp_path, answer):
    batch = [replace(finding(f"10.0.2.{number % 3}", number), matched={"x": "y" * 100_000}) for number in range(90)]
    with proxy(elastic.url) as between, connect(between.url) as small:
        detections = open_detections(small, tmp_path)
        between.answer = lambda asked: answer if len(asked.body) > 1_000_000 else None
        assert len(commit(detections, batch)) == 3
        assert commit(detections, batch) == [], "again, it is counted"
        assert max(len(asked.body) for asked in between.asked) <= 5 << 20
    assert facts(client, "10.0.2.0") == (30, 0, 87)


def insisting(detections, batch) -> None:
    """As the detector does: somebody may be faster twenty times in a row."""
    for _ in range(10):
        try:
            commit(detections, batch)
            return
        except Busy:
            continue
    raise AssertionError("busy for ever")


def test_detector_and_analyst_write_one_alert_at_once(elastic, client, tmp_path):
    detections = open_detections(client, tmp_path)
    [alert] = commit(detections, [finding("10.0.0.1", 0)])
    with connect(elastic.url) as other:
        stores = open_stores(other)
        assert stores.alerts.get(alert, EVERYTHING)
        problems = together(
            lambda: [
                insisting(detections, [finding("10.0.0.1", 2 * i), finding("10.0.0.1", 2 * i + 1)])
                for i in range(1, 25)
            ],
            lambda: [
                stores.triage.change(alert, Decision(assignee=f"person {i}", comment="looking"), by="lan", now=i)
                for i in range(40)
            ],
        )
        assert problems == []
        seen = stores.alerts.list(AlertFilter(), EVERYTHING).items[0]
        assert (seen.count, seen.first_seen, seen.last_seen) == (49, NOON, NOON + 49)
        assert (seen.triage.version, seen.triage.assignee) == (40, "person 39")
        assert len(stores.triage.history(alert)) == 80


def test_a_copy_that_was_left_behind_is_shown_right_and_mended_by_who_reads_it(client, tmp_path, monkeypatch):
    [alert] = commit(open_detections(client, tmp_path), [finding("10.0.0.1", 0)])
    stores = open_stores(client)
    with monkeypatch.context() as patched:

        def lost(*_):
            raise StoreUnavailable("gone")

        patched.setattr("soc.store.elastic.records.triage.copy_triage", lost)
        with pytest.raises(StoreUnavailable):
            stores.triage.change(alert, Decision(status=Status.ACKNOWLEDGED), by="lan", now=1)
    assert stores.alerts.counts(EVERYTHING)[Status.NEW] == 1, "the copy was left behind"
    assert stores.alerts.get(alert, EVERYTHING).triage.status is Status.ACKNOWLEDGED
    assert stores.alerts.counts(EVERYTHING)[Status.ACKNOWLEDGED] == 1
    assert stores.alerts.list(AlertFilter(status=Status.ACKNOWLEDGED), EVERYTHING).items[0].id == alert


def test_an_older_copy_never_takes_the_place_of_a_newer_one(client, tmp_path):
    from soc.store.elastic.records.triage import copy_triage

    [alert] = commit(open_detections(client, tmp_path), [finding("10.0.0.1", 0)])
    stores = open_stores(client)
    stores.triage.change(alert, Decision(status=Status.ACKNOWLEDGED), by="lan", now=1)
    first = client.get(index="govsoc-triage-hungyen", id=alert)["_source"]
    stores.triage.change(alert, Decision(assignee="minh"), by="minh", now=2)
    copy_triage(client, alert, first)
    assert stores.alerts.list(AlertFilter(), EVERYTHING).items[0].triage.assignee == "minh"


def together(*works: Callable[[], object]) -> list[BaseException]:
    """Run all at once; what they raised."""
    problems: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return problems
