"""Whatever is pasted, on the page and by the API: answered, escaped, masked, and never kept."""

from __future__ import annotations

import pytest

ACCESS = b'203.0.113.7 - - [02/Mar/2026:18:59:58 +0700] "GET /MARK?sdt=0912345678 HTTP/1.1" 200 5 "-" "x"\n'
SSHD = b"Mar  2 18:59:58 srv sshd[7]: Failed password for root from 203.0.113.9 port 4022 ssh2 MARK 0912345678\n"
SCRIPT = ACCESS.replace(b'"x"', b'"</code></textarea><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}"')
HOSTILE = {
    "binary": bytes(range(256)) * 40 + b"\nMARK 0912345678 \0\x01\x02\n",
    "an-archive": b"\x1f\x8b\x08\0" + b"MARK0912345678\0\xff" * 500,
    "mixed-formats": (ACCESS + SSHD + b'{"event": "request", "note": "MARK 0912345678"}\n') * 20,
    "empty": b"",
    "empty-lines": b"\n" * 50_000 + b" \t\r\n" * 50 + ACCESS,
    "script-tags": SCRIPT + b"<script>alert(1)</script><img src=x onerror=alert(1)> MARK 0912345678\n",
}


def page(client, lines):
    return client.post("/sources/new/preview", files={"file": lines}, headers={"accept-language": "en"})


def text_field(client, lines):
    given = {"lines": lines.decode("utf-8", "replace")}
    return client.post("/sources/new/preview", data=given, files={"file": b""}, headers={"accept-language": "en"})


def api(client, lines):
    return client.post("/api/v1/sources/preview", content=lines)


@pytest.mark.parametrize("send", [page, text_field, api])
@pytest.mark.parametrize("lines", HOSTILE.values(), ids=HOSTILE.keys())
def test_it_is_answered_escaped_masked_and_never_kept(client_of, world, tmp_path, send, lines):
    answer = send(client_of("analyst"), lines)
    assert answer.status_code == 200
    assert "0912345678" not in answer.text
    assert "text/html" not in answer.headers["content-type"] or "<script>alert" not in answer.text
    assert "text/html" not in answer.headers["content-type"] or "<img" not in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"] or send is api
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "\0" not in answer.text
    for file in tmp_path.rglob("*"):
        kept = file.read_bytes() if file.is_file() else b""
        assert b"/MARK" not in kept, file
        assert b"MARK 0912" not in kept, file


@pytest.mark.parametrize("send", [page, text_field, api])
def test_mixed_formats_are_said(client_of, send):
    answer = send(client_of("analyst"), HOSTILE["mixed-formats"])
    if send is api:
        assert answer.json()["remarks"]["mixed"] > 0
        assert answer.json()["unparsed"] > 0
    else:
        assert "Lines of another format that is known" in answer.text


@pytest.mark.parametrize("send", [page, api])
def test_fifty_megabytes_are_refused_in_words(client_of, tmp_path, send):
    answer = send(client_of("analyst"), ACCESS * (50 * (1 << 20) // len(ACCESS)))
    assert answer.status_code == 413
    assert "the first thousand lines are enough" in answer.text
    assert not any(b"MARK" in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
