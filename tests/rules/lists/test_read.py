"""Lists as they come: what is taken, what is refused and where, and that the rest goes on."""

from __future__ import annotations

import orjson
import pytest

from rules.lists.read import Format, guess, read
from soc.errors import ConfigError
from soc.model.indicator import ListType


def values(kind: ListType, content: bytes, *more: object) -> list[str]:
    return [entry.value for entry in read(kind, content, *more).entries]  # type: ignore[arg-type]


def test_text() -> None:
    content = "\ufeff# feed\n1.2.3.4\r\n10.0.0.0/8 ; SBL1\n\n  2001:DB8::1 # scanner\nfoo\n1.2.3\n".encode()
    reading = read(ListType.IP, content)
    assert [entry.value for entry in reading.entries] == ["1.2.3.4", "10.0.0.0/8", "2001:db8::1"]
    assert [at for at, _ in reading.faults] == [6, 7]
    assert values(ListType.TEXT, b"#no\na # b; c\n") == ["a # b; c"]
    many = read(ListType.IP, b"x\n" * 100)
    assert (many.bad, len(many.faults)) == (100, 20)
    with pytest.raises(ConfigError, match="not UTF-8: byte 1"):
        read(ListType.TEXT, b"a\xff")


def test_csv() -> None:
    content = b'#c\nwhen,ip,"why"\n1,1.2.3.4,"a, b"\n2\n3,x,\n'
    reading = read(ListType.IP, content, Format.CSV, "ip")
    assert [entry.value for entry in reading.entries] == ["1.2.3.4"]
    assert [at for at, _ in reading.faults] == [4, 5]
    assert values(ListType.IP, b"1.2.3.4;\n".replace(b";", b",a"), Format.CSV, "1") == ["1.2.3.4"]
    with pytest.raises(ConfigError, match="no column 'host': there are when, ip, why"):
        read(ListType.IP, content, Format.CSV, "host")


def test_misp() -> None:
    warninglist = orjson.dumps({"name": "l", "list": ["evil.vn", ".worse.vn", 5]})
    assert guess(warninglist) is Format.MISP
    assert values(ListType.DOMAIN, warninglist) == ["evil.vn", ".worse.vn"]
    attributes = [
        {"type": "ip-src|port", "value": "1.2.3.4|80", "comment": "c2"},
        {"type": "filename|sha1", "value": "a.exe|" + "A" * 40},
        {"type": "domain", "value": "evil.vn"},
        {"type": "ip-dst"},
    ]
    event = orjson.dumps(
        {"response": [{"Event": {"Attribute": attributes[:2], "Object": [{"Attribute": attributes[2:]}]}}]}
    )
    reading = read(ListType.IP, event)
    assert [(one.value, one.note) for one in reading.entries] == [("1.2.3.4", "c2")]
    assert (reading.others, reading.bad) == (2, 1)
    assert values(ListType.HASH, event) == ["a" * 40]


def test_stix() -> None:
    def indicator(pattern: str, **more: object) -> dict[str, object]:
        return {"type": "indicator", "pattern_type": "stix", "pattern": pattern, "name": "n", **more}

    bundle = {
        "type": "bundle",
        "objects": [
            {"type": "identity", "name": "x"},
            indicator(
                "[ipv4-addr:value = '1.2.3.4' OR ipv6-addr:value = '2001:db8::/32']", valid_until="2026-01-01T00:00:00Z"
            ),
            indicator("[domain-name:value = 'evil.vn']"),
            indicator("[ipv4-addr:value = '1.1.1.1' AND domain-name:value = 'evil.vn']"),
            indicator("[ipv4-addr:value = '9.9.9.9']", revoked=True),
            indicator("[file:hashes.'SHA-256' = '" + "a" * 64 + "']"),
        ],
    }
    content = orjson.dumps(bundle)
    assert guess(content) is Format.STIX
    reading = read(ListType.IP, content, until=2_000_000_000)
    assert [(one.value, one.until, one.note) for one in reading.entries] == [
        ("1.2.3.4", 1_767_225_600, "n"),
        ("2001:db8::/32", 1_767_225_600, "n"),
    ]
    assert (reading.faults, reading.others) == ([(4, "its pattern asks for more than one of several values")], 2)
    assert values(ListType.HASH, content) == ["a" * 64]


@pytest.mark.parametrize("content", [b"{", b"[{", b'{"objects": 5, "type": "bundle"}', b'{"a":' * 10_000])
def test_what_is_nothing_of_the_kind_is_refused(content: bytes) -> None:
    with pytest.raises(ConfigError, match=r"no JSON|no STIX bundle"):
        read(ListType.IP, content)


def test_json_of_something_else_holds_nothing() -> None:
    assert values(ListType.IP, b'{"Event": {"Event": {"Attribute": "x"}}}') == []
