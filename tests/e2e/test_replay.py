"""Real logs through `soc replay`: every line parsed or a dead letter with a reason; again, on another day, adds nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from kept import Kept
from servers import Product, both_stores, need

pytestmark = pytest.mark.server

KINDS = {
    "nginx.access": ["nginx/*access*.raw", "nginx/*ingress*.raw", "nginx/nginx*-logs.log"],
    "nginx.error": ["nginx/*error*.raw"],
    "apache.access": ["apache/*access*.raw", "apache/apache2-logs.log"],
    "apache.error": ["apache/*error*.raw"],
    "linux.auth": ["linux-auth/*.raw", "linux-auth/sshd*.log", "linux-auth/pam*.log"],
    "syslog": ["syslog/*.raw", "syslog-rfc5424/*.raw", "syslog/syslog-logs.log"],
}


def replay(product: Product, files: list[Path], kind: str, at: str | None = None) -> dict:
    before = ["faketime", at] if at else []
    command = [*before, sys.executable, "-m", "soc", "replay", *map(str, files), "--source-type", kind, "--json"]
    result = subprocess.run(command, env=product.env, capture_output=True, timeout=300, check=False)
    assert result.returncode in (0, 3), result.stderr.decode()
    assert b"Traceback" not in result.stderr
    return json.loads(result.stdout)


def dead_letters(kept: Kept) -> list[dict]:
    return [fields for _, fields in kept.outcome().events if fields.get("event.kind") == "pipeline_error"]


@both_stores
def test_ten_thousand_real_requests(product, test_data):
    file = test_data / "weblogs" / "apache_logs"
    first = replay(product, [file], "apache.access")
    assert (first["records"], first["events"], first["unparsed"]) == (10_000, 10_000, 0)
    assert first["alerts"] == 0, "ordinary visitors of a blog"
    again = replay(product, [file], "apache.access", at="2031-05-01 03:04:05" if shutil.which("faketime") else None)
    assert (again["events"], again["duplicates"], again["alerts"]) == (0, 10_000, 0)


@both_stores
@pytest.mark.parametrize("kind", KINDS)
def test_every_line_of_the_fixtures_is_parsed_or_says_why_not(product, kept, test_data, tmp_path, kind):
    need("faketime")
    found = sorted({file for pattern in KINDS[kind] for file in (test_data / "fixtures").glob(f"*/{pattern}")})
    assert found
    files = []
    for file in found:  # copies, as the time of the last change stands for "now" where a log has no years
        files.append(tmp_path / f"{file.parent.parent.name}-{file.name}")
        shutil.copy2(file, files[-1])
    first = replay(product, files, kind)
    assert first["records"] == first["events"] + first["duplicates"] + first["unparsed"]
    lines = [line for file in files for line in file.read_bytes().split(b"\n") if line.strip(b"\r")]
    assert first["records"] >= len(lines)
    # The files hold a few lines of another kind: error lines among requests, lines that continue the one before.
    letters = dead_letters(kept)
    assert first["unparsed"] <= 4 or kind == "syslog", letters
    assert bool(letters) == bool(first["unparsed"])  # not as many: some fixtures are there twice
    assert all(letter["error.message"] for letter in letters)
    again = replay(product, files, kind, at="2027-08-09 10:11:12")
    assert (again["events"], again["alerts"], again["unparsed"]) == (0, 0, first["unparsed"])
    assert kept.stored() == first["events"] + len(letters)
