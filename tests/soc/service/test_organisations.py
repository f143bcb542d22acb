"""The directory of organisations: what comes with govsoc, what an administrator's file says, and what is kept of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date

import pytest

from api.directory import read_directory
from soc.errors import ConfigError
from soc.model.org import Directory, Organisation, OrgKind
from soc.model.policy import Policy, PolicyKind
from soc.service.organisations import SHIPPED, Imported, keep, read
from soc.store.sqlite import open_stores

TODAY = date(2026, 3, 2)
HEADER = "code,name,kind,parent,valid_from,valid_to,successor\n"
XA = Organisation("hungyen.01", "Xã Một", OrgKind.COMMUNE, parent="hungyen", valid_from=date(2025, 7, 1))


@pytest.fixture
def policies(tmp_path):
    return open_stores(tmp_path / "data").policies


def laid(policies, organisations, now=1):
    return keep(policies, organisations, by="an", now=now, reason="sáp nhập")


def test_the_country_since_july_2025_comes_with_govsoc():
    directory = Directory(read(SHIPPED))
    now = Counter(org.kind for org in directory if org.holds(TODAY))
    assert now == {OrgKind.PROVINCE: 34, OrgKind.MINISTRY: 17}
    before = [org for org in directory if org.kind is OrgKind.PROVINCE and not org.ended(date(2025, 6, 30))]
    assert len(before) == 63
    for org in directory:
        assert directory.get(directory.current(org.code, TODAY)).holds(TODAY), org.code
    assert directory.current("thaibinh", TODAY) == directory.current("hungyen", TODAY) == "hungyen"
    assert directory.current("thaibinh", date(2025, 6, 30)) == "thaibinh"


def test_what_is_the_same_makes_no_new_version(policies):
    assert laid(policies, read(SHIPPED)) == Imported(added=80)
    assert laid(policies, read(SHIPPED), now=2) == Imported(unchanged=80)
    assert laid(policies, [XA]) == Imported(added=1)
    assert laid(policies, [replace(XA, name="Xã Hai")], now=3) == Imported(changed=1)
    history = policies.history(PolicyKind.ORGANISATION, XA.code)
    assert [(p.version, p.body["name"], p.by, p.at, p.reason) for p in history] == [
        (1, "Xã Một", "an", 1, "sáp nhập"),
        (2, "Xã Hai", "an", 3, "sáp nhập"),
    ]
    directory = read_directory(policies)
    assert directory.get(XA.code) == replace(XA, name="Xã Hai")
    assert len(directory) == 81


def test_one_that_was_withdrawn_comes_back(policies):
    org = replace(XA, parent=None)
    laid(policies, [org])
    policies.put(Policy(PolicyKind.ORGANISATION, org.code, 2, None, "an", 2))
    assert len(read_directory(policies)) == 0
    laid(policies, [org])
    assert [p.version for p in policies.history(PolicyKind.ORGANISATION, org.code)] == [1, 2, 3]


def test_nothing_is_kept_where_a_parent_or_successor_is_unknown(policies):
    with pytest.raises(ConfigError, match="its parent hungyen is neither in the file nor in the directory"):
        laid(policies, [replace(XA, code="a", parent=None), XA])
    assert policies.list(PolicyKind.ORGANISATION) == []


def test_csv_and_toml_say_the_same(tmp_path):
    (tmp_path / "a.csv").write_text(f"\ufeff{HEADER}hungyen.01,Xã Một,commune,hungyen,2025-07-01,,\n")
    (tmp_path / "a.toml").write_text(
        '[[organisation]]\ncode = "hungyen.01"\nname = "Xã Một"\nkind = "commune"\nparent = "hungyen"\nvalid_from = 2025-07-01\n'
    )
    assert read(tmp_path / "a.csv") == read(tmp_path / "a.toml") == [XA]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("a,A,village,,,,", "line 2: kind is 'village', and has to be one of ministry, province, commune"),
        ("a,A,,,,,", "line 2: kind is missing"),
        (",A,commune,,,,", "line 2: code is missing"),
        ("a, ,commune,,,,", "line 2: name is missing"),
        ("a/b,A,commune,,,,", "line 2: code is 'a/b'"),
        ("a,A,commune,a,,,", "line 2: parent is the organisation itself"),
        ("a,A,commune,,01/07/2025,,", "line 2: valid_from is '01/07/2025'"),
        ("a,A,commune,,2025-07-01,2025-06-30,", "line 2: valid_to is 2025-06-30, before valid_from"),
        ("a,A,commune,,,,b", "line 2: valid_to is missing"),
        ("a,A,commune,,,,,more", "line 2: has more columns than the header"),
        ("a,A,commune,,,,\na,B,commune,,,,", "line 3: code a is there already"),
        ('a,"A,commune', "after line 1: unexpected end of data"),
        (f"a,{'A' * 401},commune,,,,", "line 2: name has 401 letters"),
    ],
)
def test_a_file_that_cannot_be_read_says_the_line_and_the_field(tmp_path, row, said):
    file = tmp_path / "communes.csv"
    file.write_text(f"{HEADER}{row}\n")
    with pytest.raises(ConfigError) as raised:
        read(file)
    assert f"{file} {said}" in str(raised.value)


def test_every_fault_is_said_at_once(tmp_path):
    file = tmp_path / "communes.csv"
    file.write_text(HEADER + "a/b,A,commune,,,,\n" * 30)
    with pytest.raises(ConfigError) as raised:
        read(file)
    assert len(str(raised.value).splitlines()) == 21
    assert "and 10 more" in str(raised.value)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"code,name\n\xff", "is not UTF-8"),
        ("a.toml", b"x = ", "a.toml: "),
        ("a.toml", b"x = 1", "has no [[organisation]] tables"),
        ("a.toml", b"organisation = [1]", "has no [[organisation]] tables"),
        (
            "a.toml",
            b"[[organisation]]\ncode = 1\nname = 'A'\nkind = 'commune'",
            "organisation 1: code has to be a text",
        ),
        ("a.csv", b"code,name,kind,colour\na,A,commune,red", "line 2: colour is not known here; known are code, name"),
    ],
)
def test_other_files(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        read(tmp_path / name)
    assert said in str(raised.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path / "nothing.csv")


def test_doubts_about_a_code():
    directory = Directory(read(SHIPPED))
    assert directory.doubt("hungyen", TODAY) is None
    assert "is not in the directory" in directory.doubt("hungyenn", TODAY)
    assert "ended on 2025-06-30; its successor is hungyen" in directory.doubt("thaibinh", TODAY)
    assert Directory().doubt("anything", TODAY) is None


def test_successors_that_run_in_a_circle_end_somewhere():
    ended = date(2025, 1, 1)
    pair = [Organisation(a, a, OrgKind.COMMUNE, valid_to=ended, successor=b) for a, b in (("a", "b"), ("b", "a"))]
    assert Directory(pair).current("a", TODAY) in ("a", "b")
