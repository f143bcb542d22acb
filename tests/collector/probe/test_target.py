"""What may be enrolled as a target, and what of it is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.probe.target import parse_target
from soc.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "name", "host", "port", "every_s"),
    [
        ("https://Portal.example.vn", "https://portal.example.vn/", "portal.example.vn", 443, 60),
        (
            "https://portal.example.vn/a b?key=s3cret#every=120",
            "https://portal.example.vn/a%20b?~14a801",
            "portal.example.vn",
            443,
            120,
        ),
        ("http://10.1.2.3:8080/health#status=204", "http://10.1.2.3:8080/health", "10.1.2.3", 8080, 60),
        ("tcp://[2001:db8::1]:5432", "tcp://[2001:db8::1]:5432", "2001:db8::1", 5432, 60),
        ("tls://portal.example.vn", "tls://portal.example.vn", "portal.example.vn", 443, 3600),
        ("dns://portal.example.vn#answer=203.0.113.5", "dns://portal.example.vn", "portal.example.vn", 0, 300),
    ],
)
def test_targets(text: str, name: str, host: str, port: int, every_s: int) -> None:
    target = parse_target(text)
    assert (target.name, target.host, target.port, target.every_s) == (name, host, port, every_s)
    assert 0 <= target.phase_s < every_s


def test_options() -> None:
    target = parse_target("https://a.vn/#status=200-299&text=Tra cứu&timeout=3")
    assert (target.status, target.text, target.timeout_s) == ((200, 299), "Tra cứu", 3)
    assert parse_target("dns://a.vn#answer=203.0.113.5, 2001:DB8::1").answers == {"203.0.113.5", "2001:db8::1"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "write http://"),
        ("portal.example.vn", "write http://"),
        ("ftp://a.vn", "write http://"),
        ("https://", "the host is missing"),
        ("https://user:pass@a.vn/", "has a user or a password"),
        ("https://a.vn:99999/", "not a URL"),
        ("https://[::1", "not a URL"),
        ("https://a b.vn/", "the host is missing"),
        ("tcp://10.1.2.3", "needs a port"),
        ("https://a.vn/#evry=60", "the option evry is not known here; known are every, status, text, timeout"),
        ("tcp://a.vn:1#text=x", "the option text"),
        ("https://a.vn/#text=a&text=b", "the option text is there twice"),
        (f"https://a.vn/#text={'x' * 201}", "text has 201 letters, and may have 200"),
        ("https://a.vn/#every=1", "every has to be a whole number of seconds from 10 to 86400"),
        ("https://a.vn/#every=²", "every has to be"),
        ("https://a.vn/#status=ok", "status has to be"),
        ("dns://a.vn#answer=b.vn", "answer has to be addresses"),
        ("https://a.vn/" + "x" * 1000, "write http://"),
    ],
)
def test_what_cannot_be_is_said(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said.replace("?", r"\?")):
        parse_target(text)


@given(st.text(max_size=200).map(lambda text: f"https://{text}") | st.text(max_size=200))
def test_any_text_is_a_target_or_refused(text: str) -> None:
    try:
        target = parse_target(text)
    except ConfigError:
        return
    assert "\r" not in target.path
    assert "\n" not in target.path
    assert " " not in target.path


def test_one_probe_a_turn() -> None:
    target = parse_target("https://a.vn/#every=60")
    turns = [target.turn(1_700_000_000_000 + second * 1000) for second in range(600)]
    assert len(set(turns)) in (10, 11)
    assert turns == sorted(turns)


def test_two_services_of_one_page_are_two_targets() -> None:
    first, second = (parse_target(f"https://a.vn/p?service={one}") for one in "ab")
    assert first.name != second.name
    assert "service" not in first.name
    assert parse_target("https://a.vn/p?service=a#every=30").name == first.name


def test_a_plus_sign_is_one_and_no_address_is_lost() -> None:
    assert parse_target("https://a.vn/#text=C++ %26 Java").text == "C++ & Java"
    many = [f"203.0.113.{n}" for n in range(60)]
    assert parse_target(f"dns://a.vn#answer={','.join(many)}").answers == frozenset(many)
