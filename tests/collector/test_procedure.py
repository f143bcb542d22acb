"""Which procedure a request is about: by its code in whatever way portals write it, and by nothing that only looks like one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.parse.procedure import FIELD, LIKELY, code_in, code_of
from collector.parse.web import split_url
from collector.privacy import Masker
from soc.model.event import Fields

CODES = st.from_regex(r"[1-3]\.[0-9]{6}", fullmatch=True)
AGENCIES = st.sampled_from(["", ".000.00.00.H27", ".000.00.00.G09", ".000.00.00.H55.02", ".01"])


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("/thu-tuc/1.004194", "1.004194"),
        ("/thu-tuc/1.004194/", "1.004194"),
        ("/thu-tuc/1.004194?trang=2", "1.004194"),
        ("/api/thu-tuc/1.004194/bieu-mau", "1.004194"),
        ("/thu-tuc/1.004194.000.00.00.H27", "1.004194"),
        ("/thu-tuc/1.001193.html", "1.001193"),
        ("/thu-tuc/1.001193-dang-ky-khai-sinh.html", "1.001193"),
        ("/tthc/dang-ky-khai-sinh-1.001193.aspx", "1.001193"),
        ("/1.004194.000.00.00.H27", "1.004194"),
        ("/p/home/dvc-chi-tiet.html?ma_thu_tuc=1.001247", "1.001247"),
        ("/nop?vneid=1&maThuTuc=2.001019&MaDVC=2.001019.01", "2.001019"),
        ("/vi/nps/apply?CapThucHien=1,2&MaTTHC=1.003650&MaCoQuanThucHien=H05.34", "1.003650"),
        ("/nop-ho-so?MaTTHCDP=2.000815.000.00.00.H55&MaDVC=2.000815.000.00.00.H55.02", "2.000815"),
        ("/x?procedure=3.000181", "3.000181"),
        ("/pattern/--get-next-value?code=1.001612.000.00.00.H48", "1.001612"),
        ("/thu-tuc-hanh-chinh/chi-tiet?ma=1.000494", "1.000494"),
        ("https://dichvucong.example.vn/thu-tuc/1.004194", "1.004194"),
        ("https://dichvucong.example.vn:8443/1.004194.000.00.00.H27", "1.004194"),
        ("https://hosoonline.vn/p?maThuTuc=1.004194", "1.004194"),
        ("https://hosoonline.js?maThuTuc=1.004194", "1.004194"),
        ("/thu-tuc/ban-do?lat=1.085432&lng=2.085432&ma=1.004194", "1.004194"),
        ("/thu-tuc/1.004194?ma=2.000286", "1.004194"),
    ],
)
def test_codes_are_found_in_the_ways_that_portals_write_them(target: str, code: str) -> None:
    assert code_in(target) == code


@pytest.mark.parametrize(
    "target",
    [
        "/", "*", "/thu-tuc/", "/thu-tuc/1.00419", "/thu-tuc/1.0041944", "/thu-tuc/11.004194", "/thu-tuc/4.004194",  # no code
        "/1.004194", "/x?id=1.004194", "/gia/1.085432?ty-gia=1.085432",  # nothing says procedure
        "/assets/jquery-1.004194.min.js", "/thu-tuc/jquery-1.004194.min.js", "/thu-tuc/lib-1.004194/app.js",
        "/thu-tuc/1.004194/quoc-huy.png",  # static
        "/ip/1.123456.1.1", "/thu-tuc/1.123456.1.1", "/thu-tuc/1.12.123.145", "/thu-tuc/v1.123456", "/thu-tuc/1.123456.789",
        "/thu-tuc/-1.004194", "/thu-tuc/ban-do?lat=1.004194&lng=105.834160", "/thu-tuc?le-phi=1.000.000", "/thu-tuc?tile=1.250000",
        "/thu-tuc?ma=1.004194.5", "/x?a=/thu-tuc/1.004194",
        "http://dichvucong.hungyen.gov.vn/map/3.105820/x", "https://hosoonline.vn/v/1.123456", "https://hosoonline.vn/v?id=1.123456",
        "http://thu-tuc-1.123456/x", "http://thu-tuc-1.123456", "http://x-1.123456.000.00.00.H27?a=b",  # the host
        "/thu-tuc/001203004567", "/thu-tuc/123456789", "/x?ma_thu_tuc=102614", "/thu-tuc/0912.345678", "/x?maThuTuc=1.234567890123",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_code_is_none(target: str) -> None:
    assert code_in(target) is None


@given(CODES, AGENCIES)
def test_every_code_is_known_and_no_mask_changes_it(code: str, agency: str) -> None:
    written = code + agency
    assert code_of(written) == code
    masker = Masker(b"k" * 32)
    for target in (f"/thu-tuc/{written}", f"/x?ma_thu_tuc={written}&sdt=0961234567", f"/thu-tuc/{written}-khai-sinh"):
        assert LIKELY(target)
        assert code_in(target) == code
        assert code_in(masker.mask(target).text) == code
    assert masker.mask(code).text == code
    assert masker.mask(f'{{"procedure":"{written}"}}').text == f'{{"procedure":"{written}"}}'


@given(st.from_regex(r"[0-9]{1,20}", fullmatch=True), st.text("/=?&-_.", max_size=2), st.text("/=?&-_.", max_size=2))
def test_digits_alone_are_never_one(digits: str, before: str, behind: str) -> None:
    """Neither an identity nor a telephone number, wherever it stands."""
    for target in (f"/thu-tuc/{before}{digits}{behind}", f"/thu-tuc?ma_thu_tuc={before}{digits}{behind}", digits):
        assert code_in(target) is None
    assert code_of(digits) is None


@given(st.text(st.sampled_from("123.0459/=?&-_;#Hx%thutuc ă"), max_size=80), st.text(max_size=40))
def test_whatever_is_asked_for_a_code_is_seven_digits_that_are_not_part_of_more(made: str, any_text: str) -> None:
    for target in (made, "/thu-tuc/" + made, "/x?maTTHC=" + made, any_text):
        code = code_in(target)
        if code is not None:
            assert re.fullmatch(r"[1-3]\.[0-9]{6}", code)
            assert re.search(rf"(?<![0-9.]){re.escape(code)}(?![0-9])", target)
            assert LIKELY(target)


@pytest.mark.parametrize(
    "piece",
    [
        "/1.004194",
        "-1.004194",
        "?ma=1.004194",
        "&a=1.004194x",
        "1.",
        ".004194",
        "/thu-tuc",
        "&",
        "a=",
        "1.004194.000.00.00",
    ],
)
def test_a_long_target_takes_no_longer_than_its_length(piece: str) -> None:
    """A megabyte each; pytest's own limit ends the test."""
    for start in ("/", "/thu-tuc/", "/x?"):
        code_in(start + piece * (1_000_000 // len(piece)))


@pytest.mark.parametrize(
    "value", [None, 1.001612, 1, True, "", "1.004194 ", "Thủ tục 1.004194", ["1.004194"], {}, "1.004194.5"]
)
def test_a_key_holds_the_whole_code_as_text_or_none(value: object) -> None:
    assert code_of(value) is None


def test_an_encoded_target_has_its_code_too() -> None:
    fields: Fields = {}
    split_url(fields, "/thu-tuc/1.001193-%C4%91%C4%83ng-k%C3%BD?t%C3%AAn=x")
    assert fields[FIELD] == "1.001193"
    fields = {}
    split_url(fields, "/thu-tuc/khai-sinh")
    assert FIELD not in fields
