"""Something between govsoc and Elasticsearch answers in its place: nothing is lost, nothing ends, and it is said in one line."""

from __future__ import annotations

import sys
import threading

import orjson
import pytest
from proxy import Answer, Proxy, proxy
from servers import eventually

from soc import telemetry
from soc.cli import main
from soc.errors import Busy, SocError, StoreUnavailable
from soc.model.event import Stored
from soc.model.org import EVERYTHING
from soc.store.base import AlertFilter
from soc.store.elastic import documents
from soc.store.elastic.admin import setup
from soc.store.elastic.client import connect
from soc.store.elastic.events.bulk import BulkWriter, Written
from soc.store.elastic.open import open_stores
from soc.store.elastic.records.away import KnownSources, LatestHealth, keep_in_touch
from soc.store.elastic.records.sources import ElasticSources

T = 1_767_225_600_000  # 2026-01-01
ANSWERS = [
    *(Answer(status) for status in (302, 400, 404, 405, 407, 408, 409, 413, 418)),
    Answer(404, b'{"message": "no Route matched with those values"}', "application/json"),
    Answer(400, b'{"error": "bad gateway rule"}', "application/json"),
    Answer(404, b""),
]
REASON = {"type": "illegal_argument_exception", "reason": "unknown field [x]"}


@pytest.fixture
def between():
    with proxy() as one:
        yield one


def rows(make_event, count: int, **fields: object) -> list[Stored]:
    return [Stored.of(make_event(T + i, str(i), **fields)) for i in range(count)]


def write(url: str, some: list[Stored], give_up_s: float = 30.0, **options: int) -> Written:
    with connect(url) as client:
        writer = BulkWriter(client, "month", clock=lambda: T, **options)
        return writer.write(writer.prepare(some), threading.Event(), give_up_s)


def own(status: int, error: object) -> Answer:
    return Answer(status, orjson.dumps({"error": error, "status": status}), "application/json", own=True)


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda one: f"{one.status} {one.body[:12]!r}")
class TestItAnswersItself:
    def test_events_wait_and_no_dead_letter_is_made_of_them(self, between, make_event, answer):
        between.answer = lambda _: answer
        with pytest.raises(SocError, match=f"between govsoc and Elasticsearch answers {answer.status}"):
            write(between.url, rows(make_event, 3), give_up_s=0.1)
        assert b"quarantine" not in b"".join(asked.body for asked in between.asked)

    def test_nothing_read_is_taken_for_nothing_there(self, between, answer):
        between.answer = lambda _: answer
        with connect(between.url) as client:
            stores = open_stores(client)
            for work in (
                lambda: stores.alerts.list(AlertFilter(), EVERYTHING),
                lambda: stores.sources.revision(),
                lambda: stores.accounts.list(),
                lambda: documents.read(client, "govsoc-sources", "1"),
                lambda: documents.bulk(client, [{"create": {}}, {}]),
                lambda: setup.missing(client),
                lambda: client.indices.delete(index="govsoc-x"),
            ):
                with pytest.raises(
                    SocError, match=f"between govsoc and Elasticsearch answers {answer.status}"
                ) as error:
                    work()
                assert "\n" not in str(error.value)


def test_what_elasticsearch_itself_refuses_is_one_line_too(between):
    with connect(between.url) as client:
        stores = open_stores(client)
        for answer, said in (
            (own(400, REASON), r"refuses a request \(400: illegal_argument_exception: unknown field \[x\]\)"),
            (own(405, "Incorrect HTTP method"), r"refuses a request \(405: Incorrect HTTP method\)"),
        ):
            between.answer = lambda _, answer=answer: answer
            with pytest.raises(StoreUnavailable, match=said):
                stores.alerts.list(AlertFilter(), EVERYTHING)
        between.answer = lambda _: Answer(404, b'{"found": false}', "application/json", own=True)
        assert documents.read(client, "govsoc-sources", "1") is None


@pytest.mark.parametrize("answer", [Answer(404), own(400, REASON)], ids=["a proxy", "Elasticsearch"])
@pytest.mark.parametrize("command", ["alerts list", "sources list", "retention", "setup elasticsearch", "doctor"])
def test_commands_say_it_without_a_stack_trace(between, tmp_path, command, answer, monkeypatch, capfd):
    between.answer = lambda _: answer
    monkeypatch.setenv("SOC_STORE__URL", between.url)
    monkeypatch.setenv("SOC_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["soc", *command.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == (3 if command == "doctor" else 2)
    out, err = capfd.readouterr()
    assert "Traceback" not in err
    assert str(answer.status) in out + err


def test_a_request_too_large_goes_in_halves_and_one_action_too_large_is_said(between):
    accepted: list[bytes] = []

    def answer(asked):
        if len(asked.body) > 1000:
            return Answer(413)
        accepted.append(asked.body)
        items = [{"create": {"status": 201}}] * (asked.body.count(b"\n") // 2)
        return Answer(200, orjson.dumps({"items": items}), "application/json", own=True)

    between.answer = answer
    lines = [part for i in range(40) for part in ({"create": {"_id": str(i)}}, {"text": "x" * 200})]
    with connect(between.url) as client:
        assert documents.bulk(client, lines) == [201] * 40
        ids = [orjson.loads(line)["create"]["_id"] for body in accepted for line in body.splitlines()[::2]]
        assert ids == [str(i) for i in range(40)], "each once, in order"
        with pytest.raises(Busy, match="takes no request as large"):
            documents.bulk(client, [{"create": {"_id": "1"}}, {"text": "x" * 2000}])


def test_requests_are_bounded_by_bytes_and_a_deletion_has_no_document(between):
    def answer(asked):
        count = sum(line.startswith((b'{"create"', b'{"delete"')) for line in asked.body.splitlines())
        return Answer(200, orjson.dumps({"items": [{"x": {"status": 200}}] * count}), "application/json", own=True)

    between.answer = answer
    lines: list[dict] = []
    for i in range(30):
        lines += ({"create": {"_id": str(i)}}, {"text": "x" * 1_000_000}, {"delete": {"_id": str(i)}})
    with connect(between.url) as client:
        assert documents.bulk(client, lines) == [200] * 60
    sizes = [len(asked.body) for asked in between.asked]
    assert max(sizes) <= documents.REQUEST_BYTES
    assert len(sizes) <= 8


def test_the_collector_stays_in_touch_whatever_is_answered(between, tmp_path, capsys):
    """An answer that nobody has foreseen: counted, logged, and looked again."""
    good = Answer(200, b'{"_version": 1, "hits": {"hits": []}}', "application/json", own=True)
    between.answer = lambda _: good
    with connect(between.url) as client:
        sources = KnownSources(ElasticSources(client, open_stores(client).audit, lambda: T), tmp_path / "s.json")
        sources.load()
        health, stop = LatestHealth(open_stores(client).health), threading.Event()
        before = telemetry.CONTROL_FAILURES._value.get()
        between.answer = lambda _: Answer(200, b'{"_version": "x"}', "application/json", own=True)
        thread = threading.Thread(target=keep_in_touch, args=(sources, health, stop, 0.02))
        thread.start()
        try:
            eventually(lambda: telemetry.CONTROL_FAILURES._value.get() >= before + 3, 10, "it fails and goes on")
            between.answer = lambda _: Answer(404)
            asked = len(between.asked)
            eventually(lambda: len(between.asked) > asked + 3, 10, "it goes on")
            between.answer = lambda _: good._replace(body=b'{"_version": 7, "hits": {"hits": []}}')
            eventually(lambda: sources.revision() == 7, 10, "it is in touch again")
        finally:
            stop.set()
            thread.join(5)
        said = capsys.readouterr().out
        assert said.count("out of reach") == 2, "once for each reason"
        assert "ValueError" in said
        assert "in reach again" in said


@pytest.mark.server
class TestBeforeAServer:
    @pytest.fixture
    def before(self, elastic):
        with connect(elastic.url) as client:
            setup.install(client)
        with proxy(elastic.url) as one:
            yield one

    def test_once_it_lets_requests_through_everything_is_stored_as_it_is(self, elastic, before: Proxy, make_event):
        answers = iter(ANSWERS[:4])
        before.answer = lambda _: next(answers, None)
        assert write(before.url, rows(make_event, 30)) == Written(created=30)

    def test_what_it_finds_too_large_goes_in_pieces(self, elastic, before: Proxy, make_event):
        before.answer = lambda asked: Answer(413) if len(asked.body) > 200_000 else None
        some = rows(make_event, 200, event__original="x" * 3000)
        assert write(before.url, some) == Written(created=200)

    def test_a_document_alone_too_large_for_it_waits(self, elastic, before: Proxy, make_event):
        before.answer = lambda asked: Answer(413) if len(asked.body) > 1000 else None
        with pytest.raises(Busy, match="client_max_body_size"):
            write(before.url, rows(make_event, 1, event__original="x" * 3000), give_up_s=0.3)

    def test_elasticsearch_finds_them_too_large(self, elastic, before: Proxy, make_event):
        """Its own limit: it says nothing with the 413. What is alone too large becomes a dead letter with the beginning of its line."""
        before.answer = lambda asked: Answer(413, b"") if len(asked.body) > 100_000 else None
        some = rows(make_event, 90, event__original="x" * 3000)
        some += rows(make_event, 91, event__original="é" * 100_000)[90:]
        assert write(before.url, some) == Written(created=90, refused=1)
        elastic.request("POST", "/govsoc-events-*/_refresh")
        [hit] = elastic.request("POST", "/govsoc-events-quarantine-hungyen/_search")["hits"]["hits"]
        letter = hit["_source"]
        assert letter["event.original"] == "é" * 16_000
        assert "of its 200000 bytes the first 32000 are kept" in letter["error.message"]
        assert "413" in letter["error.message"]

    def test_what_elasticsearch_itself_says_is_told_apart(self, elastic, before: Proxy):
        """It marks each of its answers: a 404 of it means that there is none."""
        with connect(before.url) as client:
            assert documents.read(client, "govsoc-nothing", "1") is None
            assert documents.read(client, "govsoc-sources", "1") is None
            for method, path in (("GET", "/_nothing"), ("PUT", "/_search"), ("GET", "/govsoc-x/_search?y=1")):
                with pytest.raises(StoreUnavailable, match="refuses a request"):
                    client.perform_request(method, path, headers={"accept": "application/json"})
