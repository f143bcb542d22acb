"""A list finds what a plain reading of its entries finds, whatever the type."""

from __future__ import annotations

import socket
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.lists.index import FOREVER, NOT_LISTED, Index
from rules.lists.pack import Entry, packed, path_of, write
from rules.lists.spelling import spelt
from rules.predicate import fold
from soc.errors import ConfigError
from soc.model.indicator import ListType

# Few different bits, so that blocks lie in each other and addresses in blocks.
V4 = st.integers(0, 255).map(lambda n: (10 << 24) | (n & 0xF0) << 16 | (n & 0x0F))
V6 = st.integers(0, 255).map(lambda n: (0x20010DB8 << 96) | (n & 0xF0) << 60 | (n & 0x0F))
BLOCKS = st.one_of(
    st.tuples(V4.map(lambda n: str(ip_address(n))), st.integers(4, 32)),
    st.tuples(V6.map(lambda n: str(ip_address(n))), st.integers(30, 128)),
).map(lambda found: str(ip_network(f"{found[0]}/{found[1]}", strict=False)))


@settings(deadline=None, max_examples=examples(300))
@given(
    blocks=st.lists(st.tuples(BLOCKS, st.sampled_from([0, 100, 200])), max_size=30),
    addresses=st.lists(V4 | V6, max_size=20),
)
def test_addresses_are_in_the_blocks_around_them(blocks: list[tuple[str, int]], addresses: list[int]) -> None:
    entries = {spelt(ListType.IP, block): until for block, until in blocks}
    index = Index.of(ListType.IP, [Entry(value, until) for value, until in entries.items()])
    for number in addresses:
        address = ip_address(number)
        around = {
            value: until or FOREVER
            for value, until in entries.items()
            if ip_network(value).version == address.version and address in ip_network(value)
        }
        assert index.until(str(address)) == max(around.values(), default=NOT_LISTED)
        found = index.find(str(address), 150)
        assert (found in around and around[found] > 150) if any(u > 150 for u in around.values()) else found is None
        if address.version == 4:
            assert index.until(f"::ffff:{address}") == index.until(str(address))


@settings(deadline=None, max_examples=examples(100))
@given(st.sets(st.text(min_size=1, max_size=8).filter(lambda t: t.strip() and t.isprintable())), st.text(max_size=8))
def test_texts_are_found_whatever_their_case(entries: set[str], other: str) -> None:
    index = Index.of(ListType.TEXT, [Entry(spelt(ListType.TEXT, entry)) for entry in entries])
    known = {fold(entry.strip()) for entry in entries}
    assert all(index.until(entry) == FOREVER for entry in known)
    for text in (other, *entries, *(entry.upper() for entry in entries)):
        assert (index.until(text) == FOREVER) is (fold(text) in known)  # as rules compare texts


@pytest.mark.parametrize(
    ("kind", "entry", "passes", "not_"),
    [
        (ListType.DOMAIN, "evil.vn", ["evil.vn", "EVIL.vn."], ["a.evil.vn", "notevil.vn", "vn"]),
        (ListType.DOMAIN, ".evil.vn", ["evil.vn", "a.evil.vn", "a.b.Evil.vn."], ["notevil.vn", "vn", "evil.vn.com"]),
        (ListType.DOMAIN, "*.evil.vn", ["a.evil.vn"], ["devil.vn"]),
        (ListType.DOMAIN, "Bücher.vn", ["BÜCHER.vn", "xn--bcher-kva.vn"], ["bucher.vn"]),
        (
            ListType.HASH,
            "A" * 32,
            ["a" * 32, f"SHA1={'b' * 40},MD5={'A' * 32}", f"md5={'a' * 32}"],
            ["b" * 32, "a" * 31],
        ),
        (
            ListType.URL,
            "https://Evil.vn/a?b=C#d",
            ["http://evil.VN:80/a?b=C", "evil.vn/a?b=C"],
            ["evil.vn/A?b=C", "evil.vn/a"],
        ),
        (ListType.URL, "evil.vn", ["http://evil.vn/", "https://evil.vn:443"], ["http://evil.vn:8080/", "http://[bad"]),
        (ListType.IP, "10.0.0.9/8", ["10.255.255.255", "::ffff:10.1.1.1"], ["11.0.0.0", "10.0.0", "", "10.0.0.1 "]),
        (ListType.IP, "2001:db8::/32", ["2001:db8:ffff::1", "2001:DB8::"], ["2001:db9::", "1.2.3.4"]),
        (ListType.TEXT, "Nguyễn Văn A", ["NGUYỄN VĂN A"], ["nguyen van a", " nguyễn văn a", ""]),
        (ListType.TEXT, "ΟΔΟΣ İ", ["οδος İ", "οδοσ İ"], ["οδος i", "οδος i̇"]),
    ],
)
def test_what_passes_by_an_entry(kind: ListType, entry: str, passes: list[str], not_: list[str]) -> None:
    index = Index.of(kind, [Entry(spelt(kind, entry))])
    assert [text for text in passes if index.until(text) != FOREVER] == []
    assert [text for text in not_ if index.until(text) != NOT_LISTED] == []
    assert all(index.find(text, 0) == spelt(kind, entry) for text in passes)


@pytest.mark.parametrize(
    ("kind", "entry"),
    [
        (ListType.IP, "0.0.0.0/0"),
        (ListType.IP, "10.0.0.1/33"),
        (ListType.IP, "evil.vn"),
        (ListType.DOMAIN, ".vn"),
        (ListType.DOMAIN, "a..b"),
        (ListType.DOMAIN, "two words.vn"),
        (ListType.HASH, "abc"),
        (ListType.HASH, "g" * 32),
        (ListType.URL, "/path"),
        (ListType.TEXT, "  "),
        (ListType.TEXT, "a\nb"),
        (ListType.TEXT, "x" * 3000),
    ],
)
def test_what_is_no_entry_is_refused(kind: ListType, entry: str) -> None:
    with pytest.raises(ValueError, match=r"^it "):
        spelt(kind, entry)


def test_a_file_keeps_everything_and_damage_is_seen(tmp_path: Path) -> None:
    entries = [Entry("1.2.3.4", 7, "scanner"), Entry("10.0.0.0/8"), Entry("2001:db8::1")]
    name = write(tmp_path / "lists", packed(ListType.IP, entries))
    assert write(tmp_path / "lists", packed(ListType.IP, reversed(entries))) == name
    index = Index.open(tmp_path / "lists", name)
    assert (list(index.all()), index.entries, index.type) == (sorted(entries), 3, ListType.IP)
    assert index.until("1.2.3.4") == 7
    path = path_of(tmp_path / "lists", name)
    path.write_bytes(path.read_bytes().replace(b"scanner", b"scammer"))
    with pytest.raises(ConfigError, match="damaged: import the list again"):
        Index.open(tmp_path / "lists", name)
    path.unlink()
    with pytest.raises(ConfigError, match="not on this machine"):
        Index.open(tmp_path / "lists", name)


def test_many_entries_are_all_found_and_take_few_bytes() -> None:
    values = [socket.inet_ntoa((n * 2_654_435_761 % (1 << 32)).to_bytes(4)) for n in range(1, 50_001)]
    content = packed(ListType.IP, map(Entry, values))
    index = Index("n", content)
    assert sum(index.until(value) != FOREVER for value in values) == 0
    others = [socket.inet_ntoa((n * 2_654_435_761 % (1 << 32)).to_bytes(4)) for n in range(50_001, 100_001)]
    assert sum(index.until(value) != NOT_LISTED for value in others) == 0
    assert [entry.value for entry in index.all()] == sorted(values)
    for start in ("", "1", "103.20", "99", "999", sorted(values)[777]):
        assert [entry.value for entry in index.all(start)] == [value for value in sorted(values) if value >= start]
    text = sum(len(value) + 8 for value in values)
    assert len(content) - text - (1 << 21) < 20 * len(values)


@pytest.mark.parametrize("bits", [1, 7, 8, 15, 20, 21, 22, 23, 24, 25, 31, 32])
def test_a_block_begins_and_ends_where_it_does(bits: int) -> None:
    for start in (0, 77 << 24 | 5 << 16 | 9 << 8 | 130, (1 << 32) - 1):
        network = ip_network((start >> (32 - bits) << (32 - bits), bits))
        index = Index.of(ListType.IP, [Entry(str(network))])
        first, last = int(network.network_address), int(network.broadcast_address)
        inside = {first, last, (first + last) // 2, *(n for n in (first + 256, last - 256) if first <= n <= last)}
        around = (first - 1, last + 1, first - 256, last + 256)
        outside = {n for n in around if 0 <= n < 1 << 32 and not first <= n <= last}
        assert all(index.until(str(ip_address(n))) == FOREVER for n in inside)
        assert not any(index.until(str(ip_address(n))) for n in outside)
