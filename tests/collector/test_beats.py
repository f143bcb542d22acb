"""Requests as libbeat makes them for Filebeat's Elasticsearch output, answered by a real server."""

from __future__ import annotations

import base64
import gzip
import hashlib

import httpx
import orjson
import pytest
from readers import Sink, run_reader, wait_for

from collector.beats import token_of
from collector.body import Limits
from collector.push import Push, ingest_app

TOKEN = "govsoc_src_portal~abc"
FILTER = "errors,items.index.status,items.index.error,items.create.status,items.create.error"


def api_key(token: str) -> dict[str, str]:
    """As the output does with `api_key: "portal:<token>"`."""
    return {"Authorization": "ApiKey " + base64.b64encode(f"portal:{token}".encode()).decode()}


HEADERS = api_key(TOKEN) | {"Content-Type": "application/json; charset=UTF-8", "Accept": "application/json"}


def event(message, offset, path="/var/log/nginx/access.log"):
    return {
        "@timestamp": "2026-03-02T12:00:00.000Z",
        "message": message,
        "log": {"offset": offset, "file": {"path": path, "device_id": "66306", "inode": "271"}},
        "agent": {"id": "a-1", "type": "filebeat"},
        "ecs": {"version": "8.0.0"},
    }


def body(*documents, action="create") -> bytes:
    return b"".join(
        orjson.dumps({action: {"_index": "filebeat-8.19.7"}}) + b"\n" + orjson.dumps(document) + b"\n"
        for document in documents
    )


@pytest.fixture
def server():
    sink = Sink()
    refused: list[str] = []

    def app(deliver_to):
        return ingest_app(
            deliver_to,
            {TOKEN: "portal"}.get,
            lambda source, data: hashlib.sha256(data).hexdigest()[:16],
            limits=Limits(batch=100, records=500, line_bytes=1000),
            refused_token=refused.append,
        )

    push = Push("127.0.0.1", 0, app)
    with run_reader(push.run, lambda source_id, records: sink(records)):
        wait_for(lambda: push.port)
        with httpx.Client(base_url=f"http://127.0.0.1:{push.port}/elasticsearch") as client:
            client.sink, client.refused = sink, refused  # type: ignore[attr-defined]
            yield client


def bulk(server, content, **headers):
    return server.post("/_bulk", params={"filter_path": FILTER}, content=content, headers=HEADERS | headers)


def test_it_says_who_it_is_to_who_has_a_token(server):
    for path in ("", "/"):
        assert server.get(path, headers=HEADERS).json()["version"]["number"].startswith("8.")
    licence = server.get("/_license?human=false", headers=HEADERS).json()["license"]
    assert (licence["status"], licence["type"]) == ("active", "basic")
    assert server.get("/", headers=api_key("wrong")).status_code == 401
    assert server.get("/").status_code == 401
    assert server.refused == ["wrong", ""]


def test_a_batch_is_stored_and_each_item_answered_in_its_order(server):
    answer = bulk(server, body(event("one", 0), {"no": "message"}, event("hai", 4)))
    assert answer.status_code == 200
    assert answer.json()["errors"] is True
    assert [item["create"]["status"] for item in answer.json()["items"]] == [201, 400, 201]
    assert server.sink.lines == [b"one", b"hai"]


def test_a_packed_batch_and_the_action_index(server):
    answer = bulk(server, gzip.compress(body(event("one", 0), action="index")), **{"Content-Encoding": "gzip"})
    assert answer.json() == {"took": 0, "errors": False, "items": [{"index": {"status": 201}}]}


def test_what_is_sent_again_has_the_same_position_in_another_batch_too(server):
    bulk(server, body(event("one", 0), event("two", 4)))
    bulk(server, body(event("two", 4), event("three", 8)))
    assert len({record.position for record in server.sink.records}) == 3
    bulk(server, body(event("two", 4, path="/other")))
    assert len({record.position for record in server.sink.records}) == 4


def test_a_full_buffer_makes_it_send_the_whole_batch_again(server):
    server.sink.full.set()
    answer = bulk(server, body(event("one", 0)))
    assert answer.status_code == 429
    assert answer.headers["retry-after"]
    server.sink.full.clear()
    assert bulk(server, body(event("one", 0))).status_code == 200


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 200),
        (b"{}\n{}\n", 400),
        (b'{"delete":{}}\n{}\n', 400),
        (b'{"create":{}}\n', 400),
        (b"\xff\xfe\n\xff\n", 400),
        (b'["create"]\n{}\n', 200),
        (b'{"create":{}}\nnot json\n', 200),
        (b'{"create":{}}\n[1]\n' * 200, 200),
        (b'{"create":{}}\n{}\n' * 300, 413),
        (b'{"create":{}}\n{"message":"' + b"x" * 5000 + b'"}\n', 200),
    ],
)
def test_bad_requests_are_answered_and_store_nothing(server, content, status):
    assert bulk(server, content).status_code == status
    assert server.sink.records == []


def test_a_token_that_is_no_base64():
    assert token_of("***") == token_of("") == token_of(base64.b64encode(b"\xff\xfe").decode()) == ""
