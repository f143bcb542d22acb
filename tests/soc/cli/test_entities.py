"""`soc entities` as it is used in a shell."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import orjson
import pytest
from habits import DAY_MS, MONDAY_MS, office
from typer.testing import CliRunner

from soc.cli import build
from soc.model.event import iso, nested

ATTACK_MS = MONDAY_MS + 8 * DAY_MS + 36_000_000


@pytest.fixture(scope="module")
def log() -> list[bytes]:
    acts = list(office(9, people=20))
    acts += [
        (
            ATTACK_MS + at * 1000,
            "u03",
            {"event.action": "read", "govsoc.lgsp.subject": f"s{at * 7}", "destination.ip": "10.0.0.3"},
        )
        for at in range(400)
    ]
    return [
        orjson.dumps(nested({"@timestamp": iso(ts), "user.id": user, **fields}))
        for ts, user, fields in sorted(acts, key=lambda act: act[0])
    ]


def soc(*words: str, given: bytes | None = None):
    return CliRunner().invoke(build("entities"), ["entities", *words], input=given)


def test_what_stands_out_is_printed_as_it_would_be_shown(tmp_path: Path, log):
    file = tmp_path / "log.ndjson.gz"
    file.write_bytes(gzip.compress(b"\n".join(log), 1))
    result = soc("--entity", "user.id", "--what", "event.action,destination.ip,govsoc.lgsp.subject", str(file))
    assert result.exit_code == 0
    items = [orjson.loads(line) for line in result.stdout.splitlines()]
    assert [item["time"] for item in items] == sorted(item["time"] for item in items)
    [found] = [item for item in items if item["entity"] == "u03" and item["time"] == iso(ATTACK_MS + 899_999)]
    assert "distinct govsoc.lgsp.subject" in [why["feature"] for why in found["why"][:3]]
    assert all({"feature", "expected", "actual", "text"} <= why.keys() for why in found["why"])
    assert "learning until" in result.stderr
    again = soc(
        "--entity", "user.id", "--what", "event.action,destination.ip,govsoc.lgsp.subject", given=b"\n".join(log)
    )
    assert again.stdout == result.stdout


def test_fields_are_chosen_and_said(log):
    result = soc("--entity", "user.id", "-", given=b"\n".join(log))
    assert result.exit_code == 0
    assert "looking at destination.ip, event.action" in result.stderr
    assert any(orjson.loads(line)["entity"] == "u03" for line in result.stdout.splitlines())


def test_bad_lines_are_counted_and_the_rest_goes_on(log):
    bad = [b"{", b"[1]", b"\xff", b'{"@timestamp": "when", "user.id": "a"}', b"", b'{"a":' * 2000]
    result = soc("--entity", "user.id", "--what", "event.action", given=b"\n".join([*bad, *log]))
    assert result.exit_code == 3
    assert "4 lines are no JSON objects" in result.stderr
    assert "events have no @timestamp that is a time" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--entity", ","), "--entity"),
        (("--entity", "user.id", "--bucket", "15"), "5m, 15m or 1h"),
        (("--entity", "user.id", "--zone", "Mars"), "Asia/Ho_Chi_Minh"),
        (("--entity", "user.id", "no-such-file"), "No such file"),
        (("--entity", "user.id", "--what", ",".join(f"f{at}" for at in range(40))), "between 1 and 32"),
    ],
)
def test_bad_usage_is_said(words, said):
    result = soc(*words, given=b"")
    assert result.exit_code == 2
    assert said in result.stderr


def test_names_that_nobody_gave_are_not_doubted(log):
    others = [
        orjson.dumps({"@timestamp": iso(ATTACK_MS + DAY_MS + at * 3_600_000), "host.name": "h"}) for at in range(20)
    ]
    watched = ("--entity", "user.id,host.name")
    given = b"\n".join([*log, *others])
    assert "are the names right?" not in soc(*watched, given=given).stderr
    assert "are the names right?" in soc(*watched, "--what", "destination.ip", given=given).stderr


def test_a_zone_may_be_an_offset(log):
    words = ("--entity", "user.id", "--what", "event.action")
    named, offset = (soc(*words, "--zone", zone, given=b"\n".join(log)) for zone in ("Asia/Ho_Chi_Minh", "+07:00"))
    assert (offset.exit_code, offset.stdout) == (0, named.stdout)


def test_an_empty_log_is_no_error():
    result = soc("--entity", "user.id", given=b"")
    assert result.exit_code == 0
    assert "nothing to look at" in result.stderr


def test_a_line_that_never_ends_does_not_fill_the_memory(monkeypatch, log):
    monkeypatch.setattr("soc.cli.entities._MAX_LINE", 1 << 16)
    long = b'{"a": "' + b"x" * (1 << 18) + b'"}'
    result = soc("--entity", "user.id", "--what", "event.action", given=b"\n".join([long, *log[:50]]))
    assert result.exit_code == 3
    assert "1 lines are no JSON objects, or too long" in result.stderr


@pytest.mark.long
def test_real_web_logs():
    folder = os.environ.get("SOC_TEST_DATA")
    if not folder:
        pytest.skip("SOC_TEST_DATA is not set")
    file = Path(folder) / "weblogs/web-ecs-60k.ndjson.gz"
    result = soc("--entity", "source.ip", "--bucket", "1m", str(file))
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) <= 10
    assert "13,177 of them" in result.stderr
