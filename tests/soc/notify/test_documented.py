"""The examples of docs/notifications.md do what the page says."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

from soc.notify.webhook import signed

PAGE = (Path(__file__).parents[3] / "docs/notifications.md").read_text()
SECRET, BODY = "s3cret", '{"text":"Đăng nhập"}'.encode()


def block(language):
    [text] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return text


def test_the_check_in_python():
    found = {}
    exec(block("python"), found)  # the page's own lines
    genuine, now = found["genuine"], int(time.time() * 1000)
    headers = signed(SECRET, BODY, now, "id")
    assert genuine(SECRET, headers, BODY)
    assert not genuine("other", headers, BODY)
    assert not genuine(SECRET, headers, BODY + b" ")
    assert not genuine(SECRET, headers | {"X-Govsoc-Timestamp": str(now // 1000 + 1)}, BODY)
    assert not genuine(SECRET, signed(SECRET, BODY, now - 600_000, "id"), BODY)


def test_the_check_in_a_shell(tmp_path):
    (tmp_path / "body.json").write_bytes(BODY)
    headers = signed(SECRET, BODY, 1_700_000_000_000, "id")
    environment = {"SECRET": SECRET, "TIMESTAMP": headers["X-Govsoc-Timestamp"], "PATH": "/usr/bin:/bin"}
    said = subprocess.run(["sh", "-c", block("sh")], cwd=tmp_path, env=environment, capture_output=True, check=True)
    assert f"v1={said.stdout.split()[-1].decode()}" == headers["X-Govsoc-Signature"]
