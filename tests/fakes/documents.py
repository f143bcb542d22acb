"""Several hundred events to search in: those of the golden files, a mixture of all kinds of values, and nasty ones."""

from __future__ import annotations

import random
from pathlib import Path

import orjson

from soc.model.event import Event, Fields, event_id, iso

NOON = 1_772_452_800_000  # 2026-03-02T12:00Z
GOLDEN = Path(__file__).parents[1] / "golden"
ORGS = ("H42", "H42.01", "H42.01.005", "h42", "H30", "Bộ TT&TT", "bo-cong-an")

_WORDS = """
    sqlmap nikto wp-login.php login log php union select failed password session closed sshd hung yen Hưng Yên đăng nhập Đăng Nhập
    ĐĂNG sai mật khẩu thất bại không đúng tiếng Việt a b c ab a_b a.b x 1 12 404 203.0.113.7 10.0.0.1 2001:db8::1 phone_abc
    _x_ straße STRASSE ﬁn İstanbul istanbul Москва москва 日本語 K kelvin 😀 ' " \\ ? * / ../../ %27 <script> user@example.vn [x] (y)
""".split()
_VALUES: dict[str, tuple[object, ...]] = {
    "user.name": (
        *"root ROOT admin an Đặng đặng Hương r00t True true null 404 404.0 1000.0 1e3 -5 a*b a?b a\\b * ? \\ 😀 日本 москва".split(),
        *("МОСКВА", "", " ", "Đặng Thị Hương", "dang thi huong", "Đa\u0323\u0306ng", "tab\there", "new\nline"),
        *("x" * 8191, "x" * 9000, "root" * 3000, "đ" * 9000, True, False, 404, 404.0, 1000, -5, 7.5),
        *(None, [], [None], ["an", None, "root"], [404, "đặng"]),
    ),
    "url.path": (
        *"/ /login /login/step2 /admin/ /dang-nhap /Đăng-nhập /quan-tri /quan-tri/x /wp-login.php /a/1 /aXc /aḅc /%27".split(),
        "/" + "a" * 12_000 + "admin.php",
        "/" + "a/" * 5_000 + "end",
    ),
    "source.ip": (
        *"203.0.113.7 203.0.113.77 10.0.0.1 10.0.0.5 10.0.0.99 10.128.0.1 100.0.0.1 192.0.2.1 192.0.2.200 0.0.0.0 1.1.1.1".split(),
        *"2001:db8::1 2001:DB8:0::1 2001:db8:0:0:0:0:0:ff 2001:db9::1 fe80::1 fe80::1%eth0 ::1 :: ::ffff:10.0.0.1".split(),
        *"0:0:0:0:0:ffff:a00:1 nope no 010.0.0.1 10.0.0 5 10.0.0.0/8 255.255.255.255".split(),
        5,
        True,
        None,
    ),
    "source.address": ("10.0.0.1", "10.0.0.5", "100.0.0.1", "2001:DB8::1", "portal.example.vn", "10.0.0.x", "Cổng"),
    "related.ip": (["10.0.0.3", "2001:db8::2"], ["10.0.0.3", "x"], [], "10.0.0.3", ["::ffff:10.0.0.3"]),
    "govsoc.web.forwarded_for": (["203.0.113.9", "10.1.1.1"], ["10.1.1.1"], ["unknown"], [None]),
    "http.response.status_code": (
        *(
            0,
            4,
            40,
            44,
            200,
            204,
            301,
            400,
            401,
            403,
            404,
            404.0,
            404.5,
            499,
            500,
            4040,
            -404,
            2**63 - 1,
            -(2**63),
            1e300,
            1e18,
        ),
        *("404", "404.0", "abc", "4xx", True, None, [404, "x"], [200, 500]),
    ),
    "http.response.body.bytes": (0, 999_999, 1_000_001, 10**12),
    "govsoc.otp.latency_ms": (
        12.3,
        12,
        12.0,
        12.300001,
        0.1,
        9007199254740993,
        9007199254740992,
        1e308,
        -1.5,
        "12.3",
        "x",
    ),
    "event.risk_score": (-5, -5.0, 0, 4.999, "-5", None),
    "govsoc.ssh.unknown_user": (True, False, "true", "yes", "", 1),
    "event.created": (
        "2026-03-02T03:00:00.000Z",
        "2026-03-02T03:00:00+07:00",
        "2026-03-02",
        "2026",
        "soon",
        1_772_400_000_000,
    ),
    "event.start": (
        *"2026-03-02T02:00:00.9999Z 20260302 2026-W10-1 1969-12-31T23:59:59.9995Z 0001-01-01T00:00:00Z 9999-12-31T23:59:59Z".split(),
        *("2026-03-02 09:00:00", 1_772_416_800_000, -1, True, ["x", "2026-03-02T05:00:00Z"]),
    ),
    "event.end": ("2026-03-02T02:00:00Z", None, []),
    "event.category": (["web"], ["authentication", "session"], [], "web"),
    "event.type": (["start"], ["end", "info"]),
    "event.outcome": ("success", "failure", "FAILURE", "unknown"),
    "http.request.method": ("GET", "POST", "get"),
    "user_agent.original": ("Mozilla/5.0", "sqlmap/1.7", "curl/8.5.0", "Trình duyệt"),
    "custom.note": ("hello", "HELLO world", "Đăng", "x" * 3000, "", True, ["a", "hello"]),
    "custom.count": (5, 2, "5", 7.5, [1, 9]),
    "custom.ip": ("10.0.0.1", "203.0.113.7"),
    "custom.when": ("2026-03-02", "2026-03-02T05:00:00Z"),
    "labels.env": ("prod", "test"),
    "source": ("x",),
    "related.user": (["an", "Hưng"], ["root"]),
    "related.hosts": (["web01"], []),
}


def documents(seed: int = 1) -> list[Event]:
    return [*_golden(), *_mixed(random.Random(seed)), *_undated()]


def _golden() -> list[Event]:
    """Each twice: in the organisation it came from, and in a commune."""
    found = []
    for path in sorted(GOLDEN.glob("*/*.json")):
        for document in orjson.loads(path.read_bytes()):
            id_ = document["event.id"]
            found.append(
                Event(id_, int(id_[:12], 16), document["organization.id"], document["event.dataset"], document)
            )
            other = id_[:12] + id_[:11:-1]
            copy = document | {"event.id": other, "organization.id": "H42.01"}
            found.append(Event(other, int(id_[:12], 16), "H42.01", document["event.dataset"], copy))
    return found


def _mixed(rng: random.Random) -> list[Event]:
    """One event for every value, and as many with several values each."""
    single = [{name: value} for name, values in _VALUES.items() for value in values]
    small = {name: [v for v in values if not isinstance(v, str) or len(v) < 1000] for name, values in _VALUES.items()}
    several = [
        {name: rng.choice(values) for name, values in small.items() if rng.random() < 0.4} | _text(rng)
        for _ in range(len(single))
    ]
    # Many share their millisecond: their order is that of their ids.
    return [_event(NOON + n // 3 * 2_000, n, fields, rng) for n, fields in enumerate([*single, *several])]


def _text(rng: random.Random) -> Fields:
    def line() -> str:
        return rng.choice((" ", " ", "/", "-", ".", "")).join(rng.choices(_WORDS, k=rng.randint(0, 8)))

    fields: Fields = {name: line() for name in ("message", "event.original", "error.message") if rng.random() < 0.8}
    if rng.random() < 0.03:
        fields["event.original"] = "x" * rng.randint(7_000, 20_000) + line() + "y" * 9_000
    return fields


def _event(ts: int, n: int, fields: Fields, rng: random.Random) -> Event:
    org, dataset = rng.choice(ORGS), rng.choice(("nginx.access", "linux.auth", "otp.gateway", "custom.log"))
    id_ = event_id(ts, org, str(n), "")
    fields = {"@timestamp": iso(ts), "govsoc.source.id": f"s{n % 5}", "event.kind": "event", **fields}
    return Event(id_, ts, org, dataset, fields | {"event.id": id_, "organization.id": org, "event.dataset": dataset})


def _undated() -> list[Event]:
    claims: list[Fields] = [
        {},
        {"@timestamp": "1999-05-05T00:00:00.000Z", "event.created": iso(NOON)},
        {"@timestamp": "2999-05-05T00:00:00.000Z", "event.created": iso(NOON)},
        {"@timestamp": "2026-03-02T12:00:00.000Z"},
    ]
    found = []
    for n in range(24):
        org = ORGS[n % len(ORGS)]
        id_ = event_id(0, org, str(n), "")
        fields = claims[n % 4] | {
            "event.kind": "pipeline_error",
            "event.original": "Đăng nhập ???" if n % 3 else "",
            "event.id": id_,
        }
        reason = ("the line is empty", "implausible time: before 2000-01-01")[n % 2]
        fields |= {
            "error.message": reason,
            "organization.id": org,
            "event.dataset": "nginx.access",
            "govsoc.source.id": "s1",
        }
        found.append(Event(id_, 0, org, "nginx.access", fields))
    return found
