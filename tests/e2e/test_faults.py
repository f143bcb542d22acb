"""Faults and bad input on the running product: a clear message or a dead letter each, nothing lost, no stack trace."""

from __future__ import annotations

import gzip
import json
import os
import socket
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from servers import Product, both_stores, eventually

pytestmark = pytest.mark.server


def line(i: int, path: str = "/", agent: str = "Mozilla/5.0") -> bytes:
    stamp = (datetime.now(UTC) - timedelta(minutes=1)).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'10.0.{i >> 8 & 255}.{i & 255} - - [{stamp}] "GET {path} HTTP/1.1" 200 5 "-" "{agent}"'.encode()


def push(product: Product, token: str, body: bytes, **headers: str) -> tuple[int, dict]:
    request = urllib.request.Request(
        product.ingest_url, data=body, headers={"Authorization": f"Bearer {token}", **headers}
    )
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def events(product: Product, query: str) -> list[dict]:
    return [item["fields"] for item in product.get(f"/events?limit=200&q={urllib.parse.quote(query)}")["items"]]


def enrol(product: Product, name: str, type_: str, *way: str) -> str:
    output = product.soc("sources", "add", name, "--type", type_, "--org", "hungyen", *way).stdout.decode()
    return next((word for word in output.split() if word.startswith("govsoc_")), "")


def no_stack_trace(product: Product) -> None:
    assert "Traceback" not in product.log.read_text()


@both_stores
def test_bad_records_become_dead_letters_and_the_others_go_on(product):
    token = enrol(product, "otp", "otp.gateway", "--push")
    log = product.data_dir.parent / "access.log"
    log.write_bytes(b"")
    enrol(product, "portal", "nginx.access", "--path", str(log))
    product.start()

    good = {
        "time": datetime.now(UTC).isoformat(),
        "event": "request",
        "request_id": "r1",
        "phone": "0912345678",
        "status": "accepted",
    }
    deep = b'{"a":' * 10_000 + b"1" + b"}" * 10_000
    second = json.dumps(good | {"request_id": "r2"}).encode()
    assert push(product, token, b"\n".join([json.dumps(good).encode(), deep, b"not json", second])) == (
        200,
        {"accepted": 4},
    )
    with log.open("ab") as file:
        file.write(
            line(1)
            + b"\n"
            + b"\0" * 5000
            + line(2, agent="nul\0inside")
            + b"\n"
            + line(3, agent="caf\xe9".encode("latin-1").decode("latin-1"))
            + b"\n"
        )
        file.write(
            line(4).replace(b"Mozilla/5.0", b"\xff\xfe bytes")
            + b"\n"
            + line(5, path="/" + "a" * 10_000_000)
            + b"\n"
            + line(6)
            + b"\n"
        )

    eventually(lambda: len(events(product, "source.ip:10.0.0.6")) == 1, 60, "the last line is stored")
    eventually(lambda: len(events(product, "govsoc.source.id:otp")) == 4, 60, "and what was pushed")
    assert len(events(product, "govsoc.source.id:otp AND NOT event.kind:pipeline_error")) == 2
    dead = {
        e["event.original"][:8]: e["error.message"]
        for e in events(product, "event.kind:pipeline_error AND govsoc.source.id:otp")
    }
    assert set(dead) == {'{"a":{"a', "not json"}
    assert all(dead.values())
    for i in (1, 2, 3, 4):
        assert len(events(product, f"source.ip:10.0.0.{i}")) == 1, i
    assert "\\x00" in events(product, "source.ip:10.0.0.2")[0]["event.original"]
    assert "\\xff\\xfe" in events(product, "source.ip:10.0.0.4")[0]["event.original"]
    long = [e for e in events(product, "govsoc.source.id:portal") if len(e["event.original"]) > 1_000_000]
    assert len(long) == 1
    assert "of 10000" in long[0]["error.message"], "how much was kept of how much"
    assert not events(product, "0912345678"), "no phone number is stored"
    no_stack_trace(product)


@both_stores
def test_wrong_token_and_broken_bodies_are_refused_in_words(product, kept):
    token = enrol(product, "portal", "nginx.access", "--push")
    product.start()
    status, problem = push(product, "govsoc_wrong", line(1))
    assert (status, problem["status"]) == (401, 401)
    assert "token" in problem["detail"]
    packed = gzip.compress(b"\n".join(line(i) for i in range(100)))
    status, problem = push(product, token, packed[: len(packed) // 2], **{"Content-Encoding": "gzip"})
    assert status == 400
    assert "gzip" in problem["detail"]
    bomb = gzip.compress(b"\0" * (200 << 20))
    assert push(product, token, bomb, **{"Content-Encoding": "gzip"})[0] == 413
    assert push(product, token, packed, **{"Content-Encoding": "gzip"}) == (200, {"accepted": 100})
    assert push(product, token, packed, **{"Content-Encoding": "gzip"})[0] == 200
    eventually(lambda: product.examined() >= 100, 30, "they are examined")
    eventually(lambda: len(events(product, "govsoc.source.id:portal")) >= 100, 30, "they are found")
    assert kept.stored() == 100, "the same body sent again is stored once"
    product.soc("sources", "disable", "portal")
    eventually(lambda: push(product, token, line(1))[0] == 401, 10, "the token of a disabled source stops working")
    no_stack_trace(product)


@both_stores
def test_a_truncated_gzip_file_is_replayed_as_far_as_it_goes(product, kept, tmp_path):
    whole = gzip.compress(b"".join(line(i) + b"\n" for i in range(20_000)))
    broken = tmp_path / "access.log.2.gz"
    broken.write_bytes(whole[: len(whole) // 2])
    result = product.soc("replay", str(broken), "--source-type", "nginx.access", "--json", check=False)
    summary = json.loads(result.stdout)
    assert result.returncode == 3
    assert str(broken) in result.stderr.decode()
    assert 1000 < summary["events"] < 20_000
    assert kept.stored() == summary["events"] + summary["unparsed"], "a line cut in two is a dead letter"
    assert b"Traceback" not in result.stderr


@both_stores
def test_an_unreadable_file_is_named_and_the_others_are_read(product, tmp_path):
    loop = tmp_path / "a.log"
    loop.symlink_to(loop)
    (tmp_path / "b.log").write_bytes(line(1) + b"\n")
    enrol(product, "portal", "nginx.access", "--path", str(tmp_path / "[ab].log"))
    product.start()
    eventually(lambda: events(product, "source.ip:10.0.0.1"), 30, "the readable file is read")
    problem = eventually(
        lambda: next(s["problem"] for s in product.get("/sources")["items"] if s["id"] == "portal"), 30
    )
    assert "a.log" in problem
    loop.unlink()
    loop.write_bytes(line(2) + b"\n")
    eventually(lambda: events(product, "source.ip:10.0.0.2"), 30, "it is read once it can be")
    no_stack_trace(product)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 24 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@both_stores
def test_a_full_disk_slows_the_source_and_loses_nothing(small_disk, store, tmp_path):
    product = Product(small_disk / "data", env=store | {"SOC_STORE__MIN_FREE_BYTES": "0"})
    product.log = tmp_path / "soc.log"
    token = enrol(product, "portal", "nginx.access", "--push")
    product.start()
    try:
        filler = small_disk / "filler"
        filler.write_bytes(b"x" * (11 << 20))
        accepted, refused = 0, None
        for i in range(200):
            status, answer = push(product, token, b"\n".join(line(i * 256 + j) for j in range(256)))
            if status != 200:
                refused = status, answer
                break
            accepted += 256
        assert refused is not None, "the disk never filled"
        assert refused[0] in (429, 503)
        assert "disk" in refused[1]["detail"] or "full" in refused[1]["detail"]
        filler.unlink()
        status, _ = eventually(
            lambda: (r := push(product, token, line(60_000)))[0] == 200 and r, 60, "space was freed: it goes on"
        )
        assert status == 200
        eventually(
            lambda: product.soc("doctor", check=False).stdout and count(product) == accepted + 1,
            60,
            f"{accepted} + 1 events",
        )
        no_stack_trace(product)
    finally:
        product.stop()


def count(product: Product) -> int:
    total = 0
    for path in (product.data_dir / "events").glob("*.db"):
        db = sqlite3.connect(path)
        total += db.execute("SELECT count(*) FROM event").fetchone()[0]
        db.close()
    return total


def ends_with(arguments: list[str], env: dict[str, str]) -> tuple[int, str]:
    result = subprocess.run(
        [sys.executable, "-m", "soc", *arguments], env=env, capture_output=True, text=True, timeout=300, check=False
    )
    return result.returncode, result.stderr


@pytest.mark.parametrize(
    "port",
    [
        "SOC_SERVE__HTTP_PORT",
        "SOC_COLLECT__HTTP_PORT",
        "SOC_COLLECT__SYSLOG_PORT",
        "SOC_DETECT__HTTP_PORT",
        "SOC_OBSERVE__HTTP_PORT",
    ],
)
def test_a_port_in_use_is_named(product, port):
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(product.env[port])))
        other.listen()
        code, said = ends_with(["run"], product.env)
    assert code == 2
    assert product.env[port] in said
    assert said.count("\n") == 1
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[serve\n", "line 1"),
        ("[serve]\nhttp_prot = 1\n", "serve.http_prot"),
        ('[serve]\nhttp_port = "many"\n', "serve.http_port"),
        ("[collect]\nhttp_port = 99999\n", "collect.http_port"),
    ],
)
def test_a_broken_config_is_named(product, tmp_path, text, named):
    config = tmp_path / "soc.toml"
    config.write_text(text)
    without_ports = {name: value for name, value in product.env.items() if not name.endswith("_PORT")}
    code, said = ends_with(["run", "--config", str(config)], without_ports)
    assert code == 2
    assert str(config) in said
    assert named in said
    assert "Traceback" not in said


def test_a_second_collector_on_the_same_data_refuses(product):
    product.start()
    other = Product(product.data_dir)
    for verb in ("collect", "detect"):
        code, said = ends_with([verb], other.env)
        assert code == 2
        assert "already running" in said
        assert "Traceback" not in said


def test_a_damaged_database_is_named(product, tmp_path):
    product.soc("sources", "list")
    Path(product.data_dir, "detector.db").write_bytes(os.urandom(8192))
    code, said = ends_with(["detect"], product.env)
    assert code == 2
    assert "detector.db" in said
    assert "Traceback" not in said
    assert product.soc("doctor", check=False).returncode == 3
