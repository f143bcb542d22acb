"""The application behind a real uvicorn, spoken to by a real client."""

from __future__ import annotations

import gzip
import hashlib
import socket
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import httpx
import orjson
import pytest
from readers import run_reader, wait_for

from collector.body import Limits, RefusedError, elements, parts
from collector.push import Push, ingest_app
from soc.errors import StoreUnavailable

TOKENS = {"secret-of-portal": "portal", "secret-of-otp": "otp"}
PORTAL = {"Authorization": "Bearer secret-of-portal"}
SMALL = Limits(
    body_bytes=50_000,
    unpacked_bytes=200_000,
    array_bytes=20_000,
    line_bytes=1000,
    records=500,
    batch=100,
    at_once=3,
    at_once_per_source=2,
)


class Stored:
    """`DeliverTo` around a sink: remembers the source too, and can be slow or broken."""

    def __init__(self, sink) -> None:
        self.sink = sink
        self.sources: list[str] = []
        self.broken = False
        self.gate_reached = 0
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, source_id: str, records) -> None:
        self.gate_reached += 1
        self.gate.wait(60)
        if self.broken:
            raise StoreUnavailable("no space left on the disk")
        self.sink(records)
        self.sources.append(source_id)


@pytest.fixture(scope="module")
def server():
    """One server for all tests; `server.deliver_to` is what it delivers to."""
    server = Push("127.0.0.1", 0, lambda deliver_to: ingest_app(deliver_to, TOKENS.get, digest, limits=SMALL))
    with run_reader(server.run, lambda source_id, records: server.deliver_to(source_id, records)):
        wait_for(lambda: server.port)
        yield server


def digest(source_id: str, data: bytes) -> str:
    return hashlib.sha256(source_id.encode() + data).hexdigest()[:16]


@pytest.fixture
def stored(sink) -> Stored:
    return Stored(sink)


@pytest.fixture
def client(server, stored):
    server.deliver_to = stored
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", headers=PORTAL, timeout=60) as http:
        yield http
    stored.gate.set()


def test_lines_are_stored_when_the_answer_comes(client, stored, sink) -> None:
    answer = client.post("/ingest", content=b'{"a": 1}\r\n\n{"a": 2}\nlast')
    assert (answer.status_code, answer.json()) == (200, {"accepted": 3})
    assert sink.lines == [b'{"a": 1}', b'{"a": 2}', b"last"]
    assert stored.sources == ["portal"]


def test_the_token_names_the_source(client, stored) -> None:
    assert client.post("/ingest", content=b"x", headers={"Authorization": "bearer  secret-of-otp"}).status_code == 200
    assert stored.sources == ["otp"]


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer wrong", "Basic secret-of-portal", "secret-of-portal"])
def test_without_a_valid_token_nothing_is_taken(client, sink, value: str) -> None:
    answer = client.post("/ingest", content=b"x", headers={"Authorization": value})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"
    assert "wrong" not in answer.text
    assert sink.records == []


def test_gzip_of_several_members(client, sink) -> None:
    body = gzip.compress(b"one\ntw") + gzip.compress(b"o\n")
    assert client.post("/ingest", content=body, headers={"Content-Encoding": "gzip"}).json() == {"accepted": 2}
    assert sink.lines == [b"one", b"two"]


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        (gzip.compress(b"line\n" * 100)[:-10], 400, "cut short"),
        (b"line\n", 400, "not gzip"),
        (gzip.compress(b"line\n") + b"garbage", 400, "not gzip"),
        (gzip.compress(b"\0" * 10_000_000), 413, "unpacks to more"),
        (gzip.compress(b"") * 1001, 413, "more than 1000 members"),
        (gzip.compress(b"line\n") * 1000 + b"\0", 413, "more than 1000 members"),
    ],
    ids=["cut short", "plain", "garbage after it", "a bomb", "empty members", "zeros after members"],
)
def test_bad_gzip_stores_nothing(client, sink, body: bytes, status: int, word: str) -> None:
    answer = client.post("/ingest", content=body, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == status
    assert word in answer.json()["detail"]
    assert sink.records == []


def test_limits(client, sink) -> None:
    assert client.post("/ingest", content=b"x" * 60_000).status_code == 413
    assert (
        client.post("/ingest", content=(b"x" * 9000 for _ in range(10))).status_code == 413
    )  # chunked: no length given
    assert client.post("/ingest", content=b"x\n" * 501).status_code == 413
    assert sink.records == []
    assert client.post("/ingest", content=b"x\n" * 500).json() == {"accepted": 500}
    assert client.post("/ingest", content=b"y" * 5000).json() == {"accepted": 1}
    assert sink.records[-1].line == b"y" * 1000
    assert sink.records[-1].note == "cut at 1000 of 5000 bytes"


@pytest.mark.parametrize(("header", "value"), [("Content-Encoding", "br"), ("Content-Type", "image/png")])
def test_what_is_not_supported_is_said(client, header: str, value: str) -> None:
    answer = client.post("/ingest", content=b"x", headers={header: value})
    assert answer.status_code == 415
    assert header in answer.json()["detail"]


def test_a_json_array(client, sink) -> None:
    body = orjson.dumps([{"a": "Hưng Yên"}, "a plain line", 3])
    headers = {"Content-Type": "application/json"}
    assert client.post("/ingest", content=body, headers=headers).json() == {"accepted": 3}
    assert sink.lines == [orjson.dumps({"a": "Hưng Yên"}), b"a plain line", b"3"]
    assert client.post("/ingest", content=b"[" * 400, headers=headers).status_code == 400
    assert client.post("/ingest", content=b"[" + b"1," * 15_000 + b"1]", headers=headers).status_code == 413


def test_an_array_is_refused_before_it_takes_memory(client, sink) -> None:
    headers = {"Content-Type": "application/json"}
    for body in (b"[" + b"{},{}," * 400 + b"{}]", b"[" + b"[[" * 400):  # the second would not even parse
        answer = client.post("/ingest", content=body, headers=headers)
        assert (answer.status_code, "objects and lists" in answer.json()["detail"]) == (413, True)
    assert sink.records == []
    assert client.post("/ingest", content=b"[" + b"{}," * 499 + b"{}]", headers=headers).json() == {"accepted": 500}


def test_the_worst_array_takes_little_memory() -> None:
    limits = Limits(array_bytes=1 << 17)
    body = b"[" + b",".join([b'{"a":1}'] * (limits.array_bytes // 8 - 1)) + b"]"
    tracemalloc.start()
    try:
        assert sum(1 for _ in elements([body], "p:", limits)) > 16_000
        assert tracemalloc.get_traced_memory()[1] < 50 * limits.array_bytes
    finally:
        tracemalloc.stop()
    with pytest.raises(RefusedError, match="objects and lists"):
        elements([b"[" + b"{}," * 340_000 + b"1]"], "p:", Limits())


def test_an_element_nested_too_deeply(client, sink) -> None:
    body = b"[1," + b"[" * 300 + b"]" * 300 + b"]"
    answer = client.post("/ingest", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, "nested" in answer.json()["detail"]) == (400, True)
    assert sink.records == []


def test_arrays_are_parsed_one_at_a_time(client, monkeypatch) -> None:
    inside: list[int] = []
    most: list[int] = []

    def slow(*arguments):
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.1)
        inside.pop()
        return elements(*arguments)

    monkeypatch.setattr("collector.ingest.elements", slow)
    headers = {"Content-Type": "application/json"}
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda n: client.post("/ingest", content=b"[%d]" % n, headers=headers), range(2)))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert most == [1, 1]


def test_unpacking_takes_time_in_proportion_to_the_body() -> None:
    text = b"".join(b"%d\n" % n for n in range(100_000))
    body = b"".join(gzip.compress(text[at : at + 1000]) for at in range(0, len(text), 1000))
    assert b"".join(parts(body, True, Limits())) == text
    hostile = gzip.compress(b"") * 800_000  # 16 MB
    began = time.process_time()
    with pytest.raises(RefusedError, match="members"):
        list(parts(hostile, True, Limits()))
    assert time.process_time() - began < 1


def test_a_repeated_request_has_the_same_positions(client, sink) -> None:
    for _ in range(2):
        client.post("/ingest", content=b"one\ntwo\n")
    packed = gzip.compress(b"one\ntwo\n")
    client.post("/ingest", content=packed, headers={"Content-Encoding": "gzip"})
    assert (len(sink.records), len(sink.unique)) == (6, 2)
    client.post("/ingest", content=b"one\ntwo\n", headers={"Authorization": "Bearer secret-of-otp"})
    assert len(sink.unique) == 4


def test_the_senders_own_key_is_used(client, sink) -> None:
    client.post("/ingest", content=b"one\ntwo", headers={"Idempotency-Key": "batch-7"})
    assert [r.position for r in sink.records] == ["batch-7:0", "batch-7:4"]
    assert client.post("/ingest", content=b"x", headers={"Idempotency-Key": "k" * 300}).status_code == 400


def test_full_is_429_and_broken_is_503(client, stored, sink) -> None:
    sink.full.set()
    answer = client.post("/ingest", content=b"x")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
    sink.full.clear()
    stored.broken = True
    answer = client.post("/ingest", content=b"x")
    assert answer.status_code == 503
    assert "no space left" in answer.json()["detail"]
    stored.broken = False
    assert client.post("/ingest", content=b"x").status_code == 200


def test_a_failure_of_ours_shows_nothing_of_the_record(client, sink, capsys) -> None:
    sink.die_after = 0
    answer = client.post("/ingest", content=b"0912345678")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    printed = capsys.readouterr()
    assert "0912345678" not in answer.text + printed.out + printed.err
    assert "Traceback" not in answer.text + printed.out + printed.err


def test_tokens_that_cannot_be_checked(stored, running, eventually) -> None:
    def locked(token: str) -> str | None:
        raise StoreUnavailable("the control database is locked")

    push = Push("127.0.0.1", 0, lambda deliver_to: ingest_app(deliver_to, locked, lambda source, data: "d"))
    with running(push.run, stored):
        eventually(lambda: push.port)
        answer = httpx.post(f"http://127.0.0.1:{push.port}/ingest", content=b"x", headers=PORTAL)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_more_at_once_than_allowed_are_asked_to_wait(client, stored, eventually) -> None:
    stored.gate.clear()
    with ThreadPoolExecutor(6) as pool:
        answers = [pool.submit(client.post, "/ingest", content=b"%d" % n) for n in range(6)]
        eventually(lambda: sum(answer.done() for answer in answers) == 4)
        stored.gate.set()
        codes = sorted(answer.result().status_code for answer in answers)
    assert codes == [200, 200, 429, 429, 429, 429]
    assert client.post("/ingest", content=b"x").status_code == 200


def test_one_source_leaves_room_for_the_others(client, stored, eventually) -> None:
    stored.gate.clear()
    other = {"Authorization": "Bearer secret-of-otp"}
    with ThreadPoolExecutor(4) as pool:
        first = [pool.submit(client.post, "/ingest", content=b"%d" % n) for n in range(2)]
        eventually(lambda: stored.gate_reached == 2)
        refused = client.post("/ingest", content=b"x")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert "of this source" in refused.json()["detail"]
        third = pool.submit(client.post, "/ingest", content=b"y", headers=other)
        eventually(lambda: stored.gate_reached == 3)
        assert client.post("/ingest", content=b"z", headers=other).status_code == 429  # all places are taken
        stored.gate.set()
        assert [answer.result().status_code for answer in [*first, third]] == [200, 200, 200]


def test_a_connection_that_breaks_gives_its_place_back(client, sink, eventually) -> None:
    host, port = client.base_url.host, client.base_url.port
    for _ in range(5):
        with socket.create_connection((host, port)) as raw:
            raw.sendall(
                b"POST /ingest HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret-of-portal\r\nContent-Length: 99\r\n\r\nhalf"
            )
            time.sleep(0.05)
    eventually(lambda: client.post("/ingest", content=b"whole").status_code == 200)
    assert sink.lines == [b"whole"]


def test_metrics_are_for_this_machine_only(client) -> None:
    for header in ("X-Forwarded-For", "X-Real-IP", "Forwarded"):
        answer = client.get("/metrics", headers={header: "198.51.100.1"})
        assert answer.status_code == 403, "a proxy on this machine passed it on"
        assert "python_info" not in answer.text


def test_health_and_metrics(client) -> None:
    assert client.get("/livez").status_code == 200
    assert client.get("/readyz").status_code == 200
    assert "python_info" in client.get("/metrics").text
    assert client.get("/ingest").status_code == 405
    answer = client.get("/nothing")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_not_ready_and_each_answer_counted(stored, sink, running, eventually) -> None:
    reasons: list[str] = ["the buffer is full"]
    answers: list[int] = []

    def app(deliver_to):
        ready = lambda: reasons[0] if reasons else None  # noqa: E731
        return ingest_app(deliver_to, TOKENS.get, digest, ready=ready, count=answers.append)

    push = Push("127.0.0.1", 0, app)
    with running(push.run, stored):
        eventually(lambda: push.port)
        with httpx.Client(base_url=f"http://127.0.0.1:{push.port}", headers=PORTAL) as http:
            answer = http.get("/readyz")
            assert (answer.status_code, answer.json()["detail"]) == (503, "the buffer is full")
            reasons.clear()
            assert http.get("/readyz").status_code == 200
            http.post("/ingest", content=b"x")
            http.post("/ingest", content=b"x", headers={"Authorization": ""})
            sink.full.set()
            http.post("/ingest", content=b"x")
    assert answers == [200, 401, 429]


def test_a_port_in_use_is_said(stored) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        push = Push(
            "127.0.0.1", taken.getsockname()[1], lambda deliver_to: ingest_app(deliver_to, TOKENS.get, str.format)
        )
        with pytest.raises(OSError, match="in use"):
            push.run(stored, threading.Event())
