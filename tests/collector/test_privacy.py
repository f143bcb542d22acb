"""No citizen id or phone number survives masking, in any spelling that a log may hold."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from effort import examples
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from collector.base import Record
from collector.keys import KeyRing
from collector.parse.record import to_event
from collector.privacy import Masked, Masker
from collector.recognise import KEYS
from soc.errors import ConfigError
from soc.model.source import Source, Transport

MASKER = Masker(b"k" * 32)
OTHER = Masker(b"o" * 32)


def digits(count: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=count, max_size=count)


mobiles = st.builds("0{}{}".format, st.sampled_from("35789"), digits(8))
landlines = st.builds("02{}".format, digits(9))
phones = mobiles | landlines
cccds = st.builds("{:03d}{}".format, st.integers(1, 96), digits(9))


def grouped(number: str, cuts: tuple[int, ...], separator: str) -> str:
    at, parts = 0, []
    for cut in cuts:
        parts.append(number[at : at + cut])
        at += cut
    return separator.join([*parts, number[at:]])


# blanks and dashes as they are, in URLs, in JSON, in JSON within JSON, and as nginx writes bytes
SEPARATORS_OF_NUMBERS = (
    "", " ", ".", "-", "%20", "%2520", "%09", "%C2%A0", "%E2%80%89", "%e2%80%93", "%EF%BC%8D", "\u00a0", "\u2009", "\u2011", "\u2013",
    "\u202f", "\u2212", "\u3000", "\uff0d", "\u200b", "\t", "\\t", "\\\\t", "\\n", "\\u00a0", "\\u00A0", "\\\\u00a0", "\\u0020", "\\u0009",
    "\\u002d", "\\u2009", "\\u2011", "\\u2013", "\\u200b", "%u00a0", "%u0020", "\\xC2\\xA0", "\\xE2\\x80\\x93",
)  # fmt: skip
separators_of_numbers = st.sampled_from(SEPARATORS_OF_NUMBERS)


@st.composite
def spelled_phones(draw: st.DrawFn) -> tuple[str, str]:
    """A phone number and one of its spellings."""
    number = draw(phones)
    prefix = draw(st.sampled_from(("0", "+84", "84", "0084", "+84 ", "(+84) ", "(+84)0", "%2B84")))
    separator = draw(separators_of_numbers)
    if prefix == "0":
        cuts = draw(st.sampled_from(((4, 3), (3, 3), (4,), (2, 4), (3, 4))))
        return number, grouped(number, cuts, separator)
    return number, prefix + grouped(number[1:], draw(st.sampled_from(((3, 3), (2, 3), (3,)))), separator)


@st.composite
def encoded(draw: st.DrawFn, text: str) -> str:
    """Some of the digits hidden behind an escape."""

    def hide(digit: str) -> str:
        way = draw(st.integers(0, 11))
        spellings = (
            f"%3{digit}",
            f"%253{digit}",
            f"%25253{digit}",
            f"\\u003{digit}",
            chr(0xFF10 + int(digit)),
            f"\\\\u003{digit}",
            f"%EF%BC%9{digit}",
            f"%u003{digit}",
            f"\\u066{digit}",
            f"\\x3{digit}",
        )
        return spellings[way] if way < len(spellings) else digit

    return "".join(hide(c) if c.isdigit() else c for c in text)


places = st.sampled_from(
    (
        "{}",
        'GET /ho-so/{}/xem HTTP/1.1" 200 512',
        'GET /tra-cuu?sdt={}&page=2 HTTP/1.1" 200 5123 "-" "Mozilla/5.0"',
        "GET /api?q=%22{}%22&n=1",
        '{{"phone":"{}","n":1}}',
        '{{"body":"{{\\"to\\":\\"{}\\"}}"}}',
        "Feb  9 21:19:40 host app[12]: gui toi {}, xong",
        "user=[{}]",
        "sdt{}",
        "({})",
        "a:{};b",
    )
)


@given(spelled_phones(), places)
def test_phone_leaves_every_place(phone: tuple[str, str], place: str) -> None:
    number, spelling = phone
    masked = MASKER.mask(place.format(spelling))
    assume(" " not in spelling or "sdt{" not in place)
    if place == "sdt{}" and spelling[0].isdigit() and not spelling.isdigit():
        return  # separated digits glued to a letter are file numbers (H05.12-250131)
    assert number[1:] not in re.sub(r"\D", "", masked.text)
    assert MASKER.token("phone", number) in masked.text
    assert masked.kind_text.count("<phone>") == 1
    assert masked.facts["govsoc.privacy.kinds"] == ["phone"]
    assert masked.facts["govsoc.phone.prefix"] == number[:3]


@given(cccds, places)
def test_citizen_id_leaves_every_place(number: str, place: str) -> None:
    masked = MASKER.mask(place.format(number))
    assert number not in masked.text
    assert MASKER.token("cccd", number) in masked.text
    assert masked.facts["govsoc.cccd.province"] == number[:3]


@given(cccds, separators_of_numbers, st.sampled_from(((3, 3, 3), (4, 4))), places)
def test_citizen_id_in_groups_leaves_every_place(
    number: str, separator: str, cuts: tuple[int, ...], place: str
) -> None:
    masked = MASKER.mask(place.format(grouped(number, cuts, separator)))
    assume(place != "sdt{}")  # a file number
    assert MASKER.token("cccd", number) in masked.text


@given(st.data(), st.one_of(mobiles, cccds))
@settings(max_examples=examples(300))
def test_escaped_digits_do_not_slip_through(data: st.DataObject, number: str) -> None:
    kind = "phone" if len(number) == 10 else "cccd"
    hidden = data.draw(encoded(number))
    masked = MASKER.mask(f'GET /x?a={hidden}&b=1 HTTP/1.1" 200 12')
    assert MASKER.token(kind, number) in masked.text
    assert "a=" in masked.text
    assert "&b=1" in masked.text


@given(phones, phones)
def test_tokens_are_equal_for_equal_numbers_of_one_organisation_only(one: str, two: str) -> None:
    spellings = (one, f"+84{one[1:]}", f"84{one[1:]}", f"0084 {one[1:4]} {one[4:]}", f"+84 (0) {one[1:]}")
    assert len({MASKER.token("phone", spelling) for spelling in spellings}) == 1
    assert MASKER.token("phone", one) != OTHER.token("phone", one)
    assert (MASKER.token("phone", one) == MASKER.token("phone", two)) == (one == two)
    assert re.fullmatch(r"phone_[a-z]{20}", MASKER.token("phone", one))


line_parts = st.one_of(
    spelled_phones().map(lambda pair: pair[1]),
    cccds,
    digits(9),
    digits(6),
    st.text(max_size=6),
    st.sampled_from(
        ("otp", "OTP la ", "code is ", '"otp":', "password=", '"secret":"', "cmnd=", '"cccd":', "/", "=", '"', ":", ",", " ",
         "%22", "%253", "\\u003",
         "{", "}", "[", "84", "+84", "0", "pin=", "Mã xác thực: ", "token: ",
         "Authorization: Bearer ", "phone=", "&", "?", "is", "3912", "-", ".")
    ),
)  # fmt: skip


@given(st.lists(line_parts, max_size=14).map("".join))
@example("001000000000.0300000000")
@example("OTP la 123456: 7890")
@example("password=0912345678&otp=1234")
@settings(max_examples=examples(300))
def test_masking_twice_is_masking_once(line: str) -> None:
    once = MASKER.mask(line).text
    assert MASKER.mask(once).text == once


@given(places, st.one_of(st.tuples(mobiles, mobiles), st.tuples(cccds, cccds), st.tuples(landlines, landlines)))
def test_kind_text_does_not_depend_on_the_value(place: str, pair: tuple[str, str]) -> None:
    one, two = (MASKER.mask(place.format(number)).kind_text for number in pair)
    assert one == two


@given(mobiles, digits(9))
def test_bare_json_numbers_stay_valid_json(number: str, cmnd: str) -> None:
    assume(cmnd[0] != "0")
    line = f'{{"phone":84{number[1:]},"list":[84{number[1:]}, 1],"cmnd": {cmnd} ,"inner":"{{\\"p\\":84{number[1:]}}}"}}'
    document = json.loads(MASKER.mask(line).text)
    token = MASKER.token("phone", number)
    assert document["phone"] == token
    assert document["list"] == [token, 1]
    assert document["cmnd"] == MASKER.token("cmnd", cmnd)
    assert json.loads(document["inner"]) == {"p": token}


@pytest.mark.parametrize(
    "line",
    [
        '203.0.113.7 - - [02/Mar/2026:09:00:00 +0700] "GET / HTTP/1.1" 200 123456789 "-" "Mozilla/5.0 (X11) Chrome/79.0.3945.130"',
        "epoch 1700000000, in ms 1700000000000, 1700000000.123",
        "from 10.20.30.40 to 192.168.100.200 and 10.0.22621.1234",
        "on 08-05-2023 10:40:20, 2026-03-02T09:00:00.912345+07:00, 05/08/2023",
        "<171>1 2025-11-05T20:47:03.000000+00:00 fw nginx - - - x",
        "took 0.051 0.050 200 12 ms 0.0912345678",
        "file H05.12-250131-0012 and 000.00.16.H29-250131-0012",
        "id 550e8400-e29b-41d4-a716-091234567890 sha 0912345678aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "sudo: an : TTY=pts/0 ; PWD=/home/an ; USER=root ; COMMAND=/bin/ls",
        "Failed password for root from 203.0.113.9 port 4242 ssh2",
        '{"error_code":"1234","status_code":2004,"length":123456789}',
        "GET /otp/verify HTTP/1.1 200 1234",
        "pam_unix(sshd:session): session opened for user an by (uid=0)",
        '{"time":"2026-03-02T09:00:00\\u002b07:00","name":"Nguy\\u1ec5n \\u0041n"}',
        "GET /a%75to%2D1 HTTP/1.1",  # escapes that hide nothing stay as evidence
        "pages 1234, 5678",
        "",
    ],
)
def test_ordinary_numbers_stay(line: str) -> None:
    masked = MASKER.mask(line)
    assert masked == Masked(line, line, {})


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Ma OTP cua ban la 123456. Khong chia se", "Ma OTP cua ban la [otp_code]. Khong chia se"),
        ("Mã xác thực của quý khách là: 4821", "Mã xác thực của quý khách là: [otp_code]"),
        ("Ma\u0303 xa\u0301c thu\u031b\u0323c: 48213", "Ma\u0303 xa\u0301c thu\u031b\u0323c: [otp_code]"),
        ("m\\u00e3 x\\u00e1c th\\u1ef1c l\\u00e0 123456", "m\\u00e3 x\\u00e1c th\\u1ef1c l\\u00e0 [otp_code]"),
        ("123456 is your verification code", "[otp_code] is your verification code"),
        ("Your code is 12345678", "Your code is [otp_code]"),
        ("mat khau OTP: 998877", "mat khau OTP: [otp_code]"),
        ('{"otp":"123456","pin": 4321}', '{"otp":"[otp_code]","pin": "[otp_code]"}'),
        ("GET /verify?otp=123456&x=1", "GET /verify?otp=[otp_code]&x=1"),
        ("GET /verify?code=%31%32%33%34", "GET /verify?code=[otp_code]"),
        ("GET /login?password=ab%26c&x=1", "GET /login?password=[secret]&x=1"),
        ('{"password":"a \\"b\\" c","apipass":"x"}', '{"password":"[secret]","apipass":"[secret]"}'),
        ("lgspaccesstoken: eyJhbGciOi.x-y_z", "lgspaccesstoken: [secret]"),
        ("Authorization: Bearer abc.def", "Authorization: [secret]"),
        ("GET /x?token=abc&jwt=eyJ.a.b&page=2", "GET /x?token=[secret]&jwt=[secret]&page=2"),
        (
            "id_token=a&refresh_token=b&session=c&sid=d",
            "id_token=[secret]&refresh_token=[secret]&session=[secret]&sid=[secret]",
        ),
        ("Cookie: PHPSESSID=abc; csrf_token=d", "Cookie: PHPSESSID=[secret]; csrf_token=[secret]"),
        ('{"sessionId":"abc","token_status":"valid"}', '{"sessionId":"[secret]","token_status":"valid"}'),
        ("{\\x22password\\x22:\\x22hunter2\\x22}", "{\\x22password\\x22:\\x22[secret]\\x22}"),
        ('{"path":"/x?a=1\\u0026token=abc"}', '{"path":"/x?a=1&token=[secret]"}'),
        ('{"b":"{\\u0022pin\\u0022:\\u00221234\\u0022}"}', '{"b":"{\\"pin\\":\\"[otp_code]\\"}"}'),
        ("GET /x?access_token=abc&api_key=d", "GET /x?access_token=[secret]&api_key=[secret]"),
    ],
)
def test_codes_and_secrets_become_plain_marks(line: str, expected: str) -> None:
    assert MASKER.mask(line).text == expected


@pytest.mark.parametrize(
    ("line", "kind", "value"),
    [
        ("GET /cong-dan/123456789 HTTP/1.1", "cmnd", "123456789"),
        ("GET /x?id=123456789&y=1", "cmnd", "123456789"),
        ('{"so_giay_to":"123456789"}', "cmnd", "123456789"),
        ("citizen_id: 123456789", "cmnd", "123456789"),
        ('{"phone":"+14155550123"}', "phone", "+14155550123"),
        ('{"msisdn":"912345678"}', "phone", "0912345678"),
        ("CCCD 001 203 004 567", "cccd", "001203004567"),
        ("CCCD 0012 0300 4567", "cccd", "001203004567"),
    ],
)
def test_numbers_that_their_place_makes_personal(line: str, kind: str, value: str) -> None:
    masked = MASKER.mask(line)
    assert MASKER.token(kind, value) in masked.text
    assert masked.facts["govsoc.privacy.kinds"] == [kind]


SEPARATORS = ("=", ":", '":"', '": ', "%3D", "%22%3A%22", '\\":\\"', " = ", "='", "\\u003d", '"\\u003a"', "\\x22:\\x22")
separators = st.sampled_from(SEPARATORS)


def _spellings(letter: str) -> tuple[str, ...]:
    code = f"{ord(letter):02x}"
    return letter, f"%{code}", f"%25{code.upper()}", f"%u00{code}", f"\\u00{code}", f"\\\\u00{code.upper()}"


@pytest.mark.parametrize("kind", KEYS)
@given(data=st.data())
def test_every_spelling_of_a_key_is_found(kind: str, data: st.DataObject) -> None:
    key = data.draw(st.from_regex(rf"\A(?:{KEYS[kind]})\Z").filter(re.compile(r"[a-z][a-z0-9_\-]{1,40}").fullmatch))
    value = {"otp_code": "4821", "phone": "+14155550123", "cmnd": "123456789", "secret": "hunter"}[kind]
    hidden = "".join(data.draw(st.sampled_from(_spellings(letter))) for letter in key)
    for spelling in (key, key.upper(), hidden):
        line = f"a=1&{spelling}{data.draw(separators)}{value}"
        assert MASKER.mask(line).facts.get("govsoc.privacy.kinds") == [kind], line


endings = ("", '"', "&x=1", ",", "-1234-1234-1234-123456789012", "a" * 32, "}", "%22", ".5", ":12", " 1")


@given(st.sampled_from(("phone", "user_phone", "Mobile_No", "sdt", "tel")), separators, st.text("0123456789", min_size=7, max_size=15),
       st.sampled_from(endings))  # fmt: skip
@example("phone", "=", "0912345678", "a" * 32)
@example("phone", "=", "0912345", "")
def test_digits_behind_the_key_of_a_phone_never_stay(key: str, separator: str, number: str, ending: str) -> None:
    assert number not in MASKER.mask(f"x {key}{separator}{number}{ending}").text


@given(st.sampled_from(("cccd", "id_number", "subject", "citizen_id")), separators, digits(9) | digits(12) | digits(9).map("008{}".format),
       st.sampled_from(endings))  # fmt: skip
@example("subject", " = ", "008451741974", ".5")
def test_digits_behind_the_key_of_an_id_never_stay(key: str, separator: str, number: str, ending: str) -> None:
    assert number not in MASKER.mask(f"x {key}{separator}{number}{ending}").text


def test_carriers() -> None:
    numbers = {"0961234567": "viettel", "0911234567": "vinaphone", "0931234567": "mobifone", "0921234567": "vietnamobile",
               "0991234567": "gmobile", "02438261234": "landline"}  # fmt: skip
    for number, carrier in numbers.items():
        assert MASKER.mask(number).facts["govsoc.phone.carrier"] == carrier
    assert MASKER.mask("phone=%2B14155550123").facts["govsoc.phone.carrier"] == "foreign"
    assert MASKER.mask("0961234567 0961234568").facts["govsoc.privacy.count"] == 2


@given(st.binary(max_size=200))
def test_any_bytes_can_be_masked(line: bytes) -> None:
    text = line.decode("utf-8", "backslashreplace")
    assert MASKER.mask(MASKER.mask(text).text).text == MASKER.mask(text).text


@pytest.mark.parametrize(
    "piece", ["0", "84", "0 ", "0912345678", "%25", "%253", "otp ", "m x", "password=", '{"', "\\u003", "=1234",
              "%3", "%", "\\", "\\u00", "0\\t", "0\\u00a0", "0\u2009", "0%E2%80%89", "%70", "sid=", "\\u0022", "\\x22"]
)  # fmt: skip
def test_hostile_lines_cost_little(piece: str) -> None:
    line = piece * (200_000 // len(piece)) + "33"
    assert len(MASKER.mask(line).text) > 0  # the time is bounded by the test's own limit


@given(spelled_phones(), st.sampled_from(("2026-03-02T09:00:00+07:00", "1970-01-01T00:00:00Z", "none")), st.data())
def test_no_field_of_an_event_holds_what_json_escapes_hide(
    phone: tuple[str, str], time: str, data: st.DataObject
) -> None:
    """In events, in dead letters whose time cannot be and in those that no parser understands."""
    escaped = st.sampled_from((lambda letter: letter, lambda letter: f"\\u{ord(letter):04x}"))

    def hide(text: str) -> str:
        return "".join(data.draw(escaped)(letter) if letter not in '\\"' else letter for letter in text)

    number, spelling = phone
    tabs = spelling.replace("\t", "\\t")  # JSON holds no bare ones
    shown = tabs if "\\" in tabs or "%" in tabs else hide(spelling)
    line = f'{{"time":"{time}","event":"request","message":"{shown} x","{hide("password")}":"hunter2"}}'
    source = Source("s1", "gw", "H42", "otp.gateway", Transport.FILE)
    fields = to_event(Record(line.encode(), "1"), source, MASKER, 1_772_420_400_000).fields
    assert MASKER.token("phone", number) in str(fields["event.original"])
    assert MASKER.token("phone", number) in str(fields.get("message", fields["event.original"]))
    for value in map(str, fields.values()):
        assert "hunter2" not in value
        assert number[1:] not in re.sub(r"\D", "", value)


@pytest.mark.parametrize("day", ["02/Mar/2026", "02/Mar/1970"])
@given(spelled_phones(), st.sampled_from(("password", "token", "sid")), st.data())
def test_no_field_of_an_event_holds_what_a_url_hides(
    day: str, phone: tuple[str, str], key: str, data: st.DataObject
) -> None:
    number, spelling = phone
    url = "".join(data.draw(st.sampled_from((c, quote(c) if not c.isalnum() else f"%{ord(c):02X}"))) for c in key)
    coded = spelling if "\\" in spelling else quote(spelling, safe="%+()")
    query = f"?{url}=hunter2&b={coded}"
    line = f'203.0.113.7 - - [{day}:09:00:00 +0700] "GET /x{query} HTTP/1.1" 200 5 "https://h.vn/{query}" "M"'
    source = Source("s1", "web", "H42", "nginx.access", Transport.FILE)
    fields = to_event(Record(line.encode(), "1"), source, MASKER, 1_772_420_400_000).fields
    for name in ("url.original", "url.query", "http.request.referrer", "event.original"):
        assert MASKER.token("phone", number) in str(fields[name])
        assert "hunter2" not in str(fields[name])


def test_keys_are_kept_per_organisation(tmp_path: Path) -> None:
    keys = KeyRing(tmp_path / "keys")
    assert keys.key("H42") == KeyRing(tmp_path / "keys").key("H42")
    assert keys.key("H42") != keys.key("H43")
    assert keys.key("../../etc/x") != keys.key("..")
    files = list((tmp_path / "keys").iterdir())
    assert len(files) == 4
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert keys.masker("H42").token("phone", "0912345678") == Masker(keys.key("H42")).token("phone", "0912345678")


def test_a_damaged_key_is_reported_and_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "H42.key").write_bytes(b"short")
    with pytest.raises(ConfigError, match="5 bytes instead of 32"):
        KeyRing(tmp_path).key("H42")
    assert (tmp_path / "H42.key").read_bytes() == b"short"


def test_processes_that_race_get_one_key(tmp_path: Path) -> None:
    code = f"from pathlib import Path; from collector.keys import KeyRing; print(KeyRing(Path({str(tmp_path)!r})).key('H42').hex())"
    racers = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(4)]
    assert len({racer.communicate(timeout=60)[0] for racer in racers}) == 1
    assert [racer.returncode for racer in racers] == [0] * 4
    assert len(list(tmp_path.iterdir())) == 1
