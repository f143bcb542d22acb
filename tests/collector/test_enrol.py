"""Names, tokens and senders of sources, and configuration that can be pasted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from collector.base import Record
from collector.enrol import check, check_senders, claimed_source, new_token, token_hash
from collector.parse.record import to_event
from collector.privacy import Masker
from collector.snippets import NO_TOKEN, Place, snippet, ways
from soc.errors import ConfigError, Conflict
from soc.model.source import Source, Transport

NOW = 1_772_452_800_000
PUSH = Source("otp-1.a", "OTP", "hungyen", "otp.gateway", Transport.PUSH)
SYSLOG = Source("web", "web", "hungyen", "nginx.access", Transport.SYSLOG, ("10.1.2.0/24",))
FILE = Source("portal", "p", "hungyen", "nginx.access", Transport.FILE, ("/var/log/nginx/*access.log",))
ACCESS = '203.0.113.7 - - [02/Mar/2026:18:59:58 +0700] "GET /?id=7 HTTP/1.1" 200 512 "-" "curl/8"'


def test_a_token_says_whose_it_is_also_when_it_is_cut_short():
    token = new_token(PUSH.id)
    assert len(token) > 50
    assert claimed_source(token) == claimed_source(token[: len("govsoc_src_otp-1.a~") + 3]) == PUSH.id
    assert new_token(PUSH.id) != token
    assert len(token_hash(token)) == 64
    for other in (
        "",
        "govsoc_src_",
        "govsoc_src_~x",
        "govsoc_src_A~x",
        "x govsoc_src_a~",
        "govsoc_src_" + "a" * 99 + "~",
    ):
        assert claimed_source(other) is None


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"id": "Portal"}, "source name"),
        ({"id": "new"}, "source name"),
        ({"id": "../x"}, "source name"),
        ({"org": "a b"}, "agency code"),
        ({"type": "nginx"}, "source type"),
        ({"zone": "Hanoi"}, "time zone"),
        ({"where": ()}, "address"),
        ({"where": ("10.1.2.300",)}, "10.1.2.300"),
        ({"transport": Transport.PROBE}, "of the type probe.check"),
        ({"transport": Transport.PROBE, "type": "probe.check", "where": ()}, "what is to be probed"),
        ({"transport": Transport.PROBE, "type": "probe.check", "where": ("dns://a.vn",) * 101}, "100 targets at most"),
        ({"transport": Transport.PROBE, "type": "probe.check", "where": ("file:///etc/shadow",)}, "write http://"),
    ],
)
def test_what_cannot_be_a_source_is_told(changes, word):
    with pytest.raises(ConfigError, match=word):
        check(replace(SYSLOG, **changes))
    check(SYSLOG)


@pytest.mark.parametrize("where", ["10.1.2.7", "10.1.0.0/16", "10.1.2.0/24"])
def test_one_address_is_one_source(where):
    new = Source("other", "o", "ninhbinh", "syslog", Transport.SYSLOG, (where,))
    with pytest.raises(Conflict, match="another organisation") as raised:
        check_senders(new, [PUSH, SYSLOG])
    assert "web" not in str(raised.value)
    with pytest.raises(Conflict, match="source web"):
        check_senders(replace(new, org="hungyen"), [SYSLOG])
    check_senders(new, [replace(SYSLOG, enabled=False)])
    check_senders(replace(new, where=("10.1.3.1", "fe80::1")), [SYSLOG])


def test_a_typed_source_is_taken_out_of_its_syslog_envelope():
    masker = Masker(bytes(32))
    for line in (
        ACCESS,
        f"<134>1 2026-03-02T18:59:58+07:00 web1 nginx - - - {ACCESS}",
        f"<190>Mar  2 18:59:58 web1 nginx: {ACCESS}",
    ):
        event = to_event(Record(line.encode(), "0"), SYSLOG, masker, NOW)
        assert not event.dead
        assert (event.dataset, event.fields["source.ip"], event.fields["url.path"]) == (
            "nginx.access",
            "203.0.113.7",
            "/",
        )
    dead = to_event(Record(b"<134>1 2026-03-02T18:59:58+07:00 web1 cron - - - hello", "0"), SYSLOG, masker, NOW)
    assert dead.dead


@pytest.mark.parametrize(
    "source", [PUSH, SYSLOG, FILE, replace(SYSLOG, type="linux.auth"), replace(SYSLOG, type="nginx.error")]
)
def test_every_way_has_configuration_that_holds_what_it_needs(source):
    place = Place("10.0.0.5", 5514, 8081)
    for way in ways(source):
        text = snippet(source, way, place, token="govsoc_src_otp-1.a~abc")
        if source.transport is not Transport.FILE:
            assert "10.0.0.5" in text
        assert ("govsoc_src_otp-1.a~abc" in text) == (source.transport is Transport.PUSH)
        assert "{{" not in text
    assert NO_TOKEN in snippet(PUSH, "curl", place)
    with pytest.raises(ConfigError, match="configuration for"):
        snippet(source, "logstash", place)


def test_a_probe_is_enrolled_where_it_is_made():
    source = Source("p", "p", "H42", "probe.check", Transport.PROBE, ("https://portal.example.vn/#text=Tra cứu",))
    check(source)
    text = snippet(source, *ways(source), Place())
    assert "soc sources add p --type probe.check --org H42 --probe 'https://portal.example.vn/#text=Tra cứu'" in text


@pytest.mark.parametrize("value", ['x"; }', "a b", "$(id)", "a\nb", "", "'"])
def test_nothing_can_break_out_of_the_configuration(value):
    for arguments in ({"token": value}, {"path": f"/{value}"} if value else {"token": "*"}):
        with pytest.raises(ConfigError, match="cannot stand"):
            snippet(PUSH, "curl", Place(), **arguments)
    with pytest.raises(ConfigError, match="cannot stand"):
        snippet(SYSLOG, "rsyslog", Place(host=value))
