from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from ipaddress import ip_network
from pathlib import Path

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from soc.buffer.sqlite import SCHEMA, EventLog
from soc.model.event import Event, Fields, event_id, iso
from soc.model.org import EVERYTHING, Scope
from soc.query.ast import And, Cidr, Everything, Exists, Not, Or, Query, Range, Span, Term, Wildcard
from soc.query.evaluate import matches
from soc.query.parse import parse
from soc.store.events import SqliteEvents
from soc.store.sql import where

DAY = 1_772_409_600_000  # 2026-03-02


def event_log(documents: list[Fields]) -> sqlite3.Connection:
    db = sqlite3.connect(":memory:")
    for script in SCHEMA:
        db.executescript(script)
    for n, fields in enumerate(documents):
        ts = DAY + n * 3_600_000
        stamped: Fields = {**fields, "@timestamp": iso(ts)}
        ip = fields.get("source.ip")
        db.execute(
            "INSERT INTO event (id, org, dataset, source_ip, doc) VALUES (?, ?, ?, ?, ?)",
            (
                event_id(ts, "s", str(n), ""),
                fields["organization.id"],
                fields["event.dataset"],
                ip if isinstance(ip, str) else None,
                orjson.dumps(stamped).decode(),
            ),
        )
    return db


def found(db: sqlite3.Connection, query: Query, *, indexed: bool) -> tuple[list[int], list[int]]:
    """Numbers of the rows that the condition lets through, and of those among them that match."""
    condition, values = where(query, db if indexed else None)
    rows = db.execute(f"SELECT seq, doc FROM event WHERE {condition} ORDER BY seq", values).fetchall()
    return [seq for seq, _ in rows], [seq for seq, doc in rows if matches(query, orjson.loads(doc))]


def everything(db: sqlite3.Connection, query: Query) -> list[int]:
    return [
        seq for seq, doc in db.execute("SELECT seq, doc FROM event ORDER BY seq") if matches(query, orjson.loads(doc))
    ]


codes = st.sampled_from(
    [
        "H33",
        "h33",
        "H34",
        "đ1",
        "D1",
        "d1",
        "nginx.access",
        "NGINX.Access",
        "10.0.0.1",
        "::1",
        "",
        "a\0b",
        "A\0c",
        "a%b_|",
        'a"b',
        "true",
    ]
)
addresses = st.sampled_from(
    [
        "10.0.0.1",
        "10.0.0.10",
        "10.1.0.1",
        "100.0.0.1",
        "1.0.0.1",
        "2001:db8::1",
        "2001:DB8:0::1",
        "::ffff:10.0.0.1",
        "-",
    ]
)
words = st.one_of(
    codes,
    addresses,
    st.sampled_from(["1e+16", "1e-07", "1.5", "404", "404.0"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
)
scalars = st.one_of(words, st.none(), st.booleans(), st.integers(-5, 500), st.sampled_from([1.5, 1e16, 1e-7, -0.0]))
documents = st.lists(
    st.fixed_dictionaries(
        {"organization.id": codes, "event.dataset": codes},
        optional={"source.ip": addresses, "message": words, "x": st.one_of(scalars, st.lists(scalars, max_size=3))},
    ),
    max_size=5,
)
fields = st.sampled_from(["organization.id", "event.dataset", "source.ip", "message", "x", "@timestamp", 'a"b', "$.x"])
networks = st.sampled_from(
    ["10.0.0.0/8", "10.0.0.0/24", "10.0.0.1/32", "10.0.0.8/29", "0.0.0.0/0", "1.0.0.0/8", "2001:db8::/32"]
)
instants = st.one_of(st.none(), st.integers(DAY - 10_000_000, DAY + 20_000_000), st.integers(-5, 5))
leaves = st.one_of(
    st.builds(Everything),
    st.builds(Term, st.one_of(st.none(), fields), words),
    st.builds(
        Wildcard,
        fields,
        st.sampled_from(["*", "h*", "*3", "1?.0*", "*%b_*", "?%*", r"*a\"b", "tr?e", "NGINX*", "*e-0*", "đ*"]),
    ),
    st.builds(Exists, fields),
    st.builds(Range, fields, st.integers(-9, 9), st.integers(-9, 500), st.booleans(), st.booleans()),
    st.builds(Cidr, fields, networks.map(ip_network)),
    st.builds(Span, st.just("@timestamp"), instants, instants),
)
queries = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)


@given(documents, queries)
@example([{"organization.id": "đ1", "event.dataset": ""}], Term("organization.id", "D1"))
@example([{"organization.id": "", "event.dataset": "", "message": "Hưng Yên"}], Term(None, "hung yen"))
@example([{"organization.id": "", "event.dataset": "", "x": "Đăng nhập"}], Wildcard("x", "*Dang*"))
@example([{"organization.id": "", "event.dataset": "", "x": 1e16}], Term("x", "1e+16"))
@example([{"organization.id": "h33", "event.dataset": ""}], Not(Term("organization.id", "H33")))
def test_narrowing_in_sql_never_loses_a_match(documents: list[Fields], query: Query) -> None:
    with closing(event_log(documents)) as db:
        wanted = everything(db, query)
        assert found(db, query, indexed=False)[1] == wanted
        assert found(db, query, indexed=True)[1] == wanted


@pytest.fixture
def log() -> Iterator[sqlite3.Connection]:
    with closing(
        event_log(
            [
                {"organization.id": "H33", "event.dataset": "nginx.access", "source.ip": "10.0.0.1"},
                {"organization.id": "H33", "event.dataset": "otp.gateway", "source.ip": "10.0.0.77"},
                {"organization.id": "h34", "event.dataset": "linux.auth", "source.ip": "10.9.0.1"},
                {"organization.id": "H34", "event.dataset": "linux.auth"},
            ]
        )
    ) as db:
        yield db


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("organization.id:h33", [1, 2]),
        ("organization.id:H34", [3, 4]),
        ("organization.id:H99", []),
        ("event.dataset:(NGINX.ACCESS OR linux.auth)", [1, 3, 4]),
        ("event.dataset:linux.auth x:1", [3, 4]),
        ("source.ip:10.0.0.1", [1]),
        ("source.ip:10.0.0.0/24", [1, 2]),
        ("source.ip:10.0.0.0/8", [1, 2, 3]),
        ("@timestamp:[2026-03-02T01:00 TO 2026-03-02T02:30}", [2, 3]),
        ("-source.ip:10.0.0.1", [1, 2, 3, 4]),
        ("source.ip:10.0.0.1 OR x:1", [1, 2, 3, 4]),
        ("OTP.gate", [2]),  # somewhere in the document
        ("10.0.0.77 OR x:*ux.au*", [2, 3, 4]),
        ("o_p OR o%p OR x:nowhere", []),
        ('organization.id:"\' OR 1=1 --"', []),
        ('event.dataset:"x\'); DROP TABLE event; --"', []),
    ],
)
@pytest.mark.parametrize("indexed", [True, False])
def test_the_columns_narrow(log: sqlite3.Connection, text: str, rows: list[int], indexed: bool) -> None:
    assert found(log, parse(text), indexed=indexed)[0] == rows


def test_a_code_is_looked_up_in_its_index(log: sqlite3.Connection) -> None:
    for text, index in (("event.dataset:OTP.gateway", "event_dataset"), ("organization.id:h33", "event_org")):
        condition, values = where(parse(text), log)
        plan = log.execute(
            f"EXPLAIN QUERY PLAN SELECT doc FROM event WHERE {condition} ORDER BY id DESC", values
        ).fetchall()
        assert [step[3].split(" (")[0] for step in plan] == [f"SEARCH event USING INDEX {index}"]


@pytest.mark.parametrize("scope", [EVERYTHING, Scope(frozenset({"h33", "h34"}))])
@pytest.mark.parametrize(
    "text",
    [
        "source.ip:10.0.0.1",
        "source.ip:10.0.0.0/24 -url.path:/x",
        "source.ip:10.0.0.1 event.dataset:nginx.access",
        "organization.id:h33 source.ip:10.0.0.1",
    ],
)
def test_an_address_is_looked_up_in_its_index_slot_by_slot(
    tmp_path: Path, make_event: Callable[..., Event], text: str, scope: Scope
) -> None:
    event = make_event(DAY, "1", source__ip="10.0.0.1", org="h33")
    EventLog(tmp_path).append([event])
    asked: list[str] = []
    seen = SqliteEvents(tmp_path)
    file = seen._file("2026-03-02")
    assert file is not None
    with file.read() as db:
        db.set_trace_callback(asked.append)
    assert seen.search(parse(text), scope).items == (event,)
    searches = {sql for sql in asked if "ORDER BY id DESC" in sql}
    assert searches
    for sql in searches:
        with closing(sqlite3.connect(tmp_path / "2026-03-02.db")) as db:
            steps = [step[3] for step in db.execute(f"EXPLAIN QUERY PLAN {sql}")]
        assert steps[0].startswith("SEARCH event USING INDEX event_source_ip (slot=? AND source_ip"), sql


def test_values_are_bound_and_names_never_written(log: sqlite3.Connection) -> None:
    condition, values = where(And((Term("event.dataset", "'evil'"), Term("'; DROP", "evil"), Exists('a"b'))))
    assert "evil" not in condition
    assert "DROP" not in condition
    assert values == ["'evil'", "%evil%"]
