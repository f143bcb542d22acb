"""What pasted lines are taken for, and that nothing of them comes back that may not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.guess import propose
from collector.preview import MAX_BYTES, MAX_LINES, Remark, preview

NOW = 1_772_452_800_000  # 2026-03-02T12:00:00Z
ACCESS = b'203.0.113.7 - - [02/Mar/2026:18:59:58 +0700] "GET /?id=7 HTTP/1.1" 200 512 "-" "curl/8"\n'
SSHD = b"Mar  2 18:59:01 web1 sshd[811]: Failed password for root from 203.0.113.7 port 4022 ssh2\n"
BOOT = b"Mar  2 18:59:02 web1 systemd[1]: Started Session 5 of user root.\n"
OTP = b'{"time":"2026-03-02T18:59:00+07:00","event":"verify","status":"ok","phone":"0912345678","account":"a1"}\n'
ERROR = b"2026/03/02 18:59:00 [error] 12#12: *3 open() failed (2: No such file or directory), client: 203.0.113.7, server: x\n"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (ACCESS * 3, "nginx.access"),
        (b"portal.example.vn:443 " + ACCESS, "apache.access"),
        (ERROR, "nginx.error"),
        (SSHD * 2, "linux.auth"),
        (BOOT * 3 + SSHD, "syslog"),
        (OTP, "otp.gateway"),
        (b"<134>Mar  2 18:59:58 web1 nginx: " + ACCESS, "syslog"),
    ],
)
def test_the_likeliest_type_comes_first(lines, expected):
    found = preview(lines, NOW)
    assert found.source_type == found.proposals[0].source_type == expected
    assert found.proposals[0].confidence == 1
    assert (found.parsed, found.unparsed) == (lines.count(b"\n"), 0)


FIXTURES = {"nginx.access": "nginx", "nginx.error": "nginx", "apache.error": "apache", "apache.access": "apache"}


def test_real_files_are_known_by_their_lines(test_data):
    """Of the public fixtures, of which the collector reads most. Access logs of Apache and nginx look the same."""
    right, wrong = 0, []
    for file in sorted((test_data / "fixtures").rglob("*.raw")):
        expected = next((t for t in FIXTURES if f"__{t}." in file.name), None)
        if expected is None:
            continue
        found = preview(file.read_bytes(), NOW)
        best = {p.source_type for p in found.proposals if p.confidence == found.proposals[0].confidence}
        if expected in best:
            right += 1
        else:
            wrong.append(file.name)
    assert right >= 15
    assert len(wrong) <= 0.05 * right, wrong


def test_a_chosen_type_is_taken_and_the_others_are_still_proposed():
    found = preview(ACCESS, NOW, source_type="linux.auth")
    assert (found.source_type, found.parsed, found.unparsed) == ("linux.auth", 0, 1)
    assert found.lines[0].problem == "no syslog time at the start of the line"
    assert found.proposals[0].source_type == "nginx.access"
    assert found.remarks[Remark.MIXED] == 1


def test_mixed_formats_and_empty_lines_are_said_and_numbered():
    found = preview(ACCESS + b"\r\n  \n" + SSHD + ACCESS * 2, NOW)
    assert found.source_type == "nginx.access"
    assert [(line.number, line.problem is None) for line in found.lines] == [
        (1, True),
        (4, False),
        (5, True),
        (6, True),
    ]
    assert (found.remarks[Remark.EMPTY], found.remarks[Remark.MIXED]) == (2, 1)


@pytest.mark.parametrize(
    ("data", "remark"),
    [
        (b"", Remark.NOTHING),
        (b"\n \r\n", Remark.NOTHING),
        (bytes(range(256)) * 40, Remark.BINARY),
        (b"\x7fELF\x02\x01\x01" + b"\0" * 500, Remark.BINARY),
        ("0912345678 một dòng\n".encode("utf-16"), Remark.UTF16),
        ("0912345678 log\n".encode("utf-16-le") * 5, Remark.UTF16),
    ],
)
def test_what_is_no_text_is_said_and_never_shown(data, remark):
    found = preview(data, NOW)
    assert remark in found.remarks
    assert b"ELF" not in repr(found).encode()
    assert "0912" not in repr(found)


def test_a_byte_order_mark_is_no_part_of_the_first_line():
    assert preview(b"\xef\xbb\xbf" + ACCESS, NOW).parsed == 1


def test_only_so_much_is_looked_at_and_the_rest_is_counted():
    found = preview(ACCESS * (MAX_LINES + 25), NOW, more=10)
    assert found.parsed == MAX_LINES
    assert found.remarks[Remark.MORE] == 35
    assert len(found.lines) == 20
    many = ACCESS * (3 * MAX_BYTES // len(ACCESS))
    found = preview(many, NOW)
    assert found.parsed + found.remarks[Remark.MORE] == many.count(b"\n")
    found = preview(b"x" * (50 << 20), NOW)
    assert (found.unparsed, found.remarks[Remark.CUT]) == (1, 1)
    assert len(found.lines[0].text) < 10_000


def test_times_without_zone_and_from_the_future_and_old_ones_are_said():
    assert preview(SSHD, NOW).remarks == {Remark.NO_ZONE: 1}
    assert preview(ACCESS, NOW).remarks == {}
    assert preview(SSHD, NOW, zone="UTC").remarks == {Remark.NO_ZONE: 1, Remark.AHEAD: 1}
    assert preview(ACCESS, NOW + 3 * 86_400_000).remarks == {Remark.OLD: 3}
    assert preview(ACCESS, NOW - 2 * 86_400_000).lines[0].problem.startswith("implausible time")


def test_script_tags_are_text_and_no_parser_stumbles():
    line = ACCESS.replace(b"curl/8", b"<script>alert(1)</script>{{7*7}}")
    assert preview(line, NOW).lines[0].fields["user_agent.original"] == "<script>alert(1)</script>{{7*7}}"


@given(st.binary(max_size=3000))
def test_no_bytes_raise(data):
    found = preview(data, NOW)
    assert found.parsed + found.unparsed == len(found.events)


@given(
    number=st.from_regex(r"\A0[35789][0-9]{8}\Z"),
    citizen=st.from_regex(r"\A0(?:0[1-9]|[1-8][0-9])[0-3][0-9]{8}\Z"),
    line=st.sampled_from(
        [
            '203.0.113.7 - - [02/Mar/2026:18:59:58 +0700] "GET /?sdt={n}&cccd={c} HTTP/1.1" 200 1 "-" "-"\n',
            "Mar  2 18:59:01 web1 app: sent to {n} for {c}\n",
            '{{"time":"2026-03-02T18:59:00+07:00","event":"verify","status":"ok","phone":"{n}","account":"{c}"}}\n',
            "not a line of anything, {n} and {c}\n",
        ]
    ),
    type_=st.sampled_from([None, "nginx.access", "syslog", "otp.gateway"]),
)
def test_no_number_of_a_person_comes_back(number, citizen, line, type_):
    found = preview(line.format(n=number, c=citizen).encode(), NOW, source_type=type_)
    assert number not in repr(found)
    assert citizen not in repr(found)
    assert found.masked.keys() == {"phone", "cccd"}


def test_the_key_is_another_one_each_time():
    first, second = (preview(OTP, NOW).lines[0].text for _ in range(2))
    assert first != second


def test_no_lines_no_proposals():
    assert propose([], "UTC", NOW) == []


def test_a_thousand_hostile_lines_are_no_lines_of_any_format():
    found = preview((b'"[' * 500 + b"\n") * MAX_LINES, NOW)
    assert (found.proposals, found.unparsed) == ((), MAX_LINES)
