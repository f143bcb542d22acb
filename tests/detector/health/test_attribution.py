"""Whose fault it is, on tables of who failed with whom."""

from __future__ import annotations

import pytest

from detector.health.attribution import Cell, attribute
from soc.model.service_level import Blame

U, L = Blame.UPSTREAM, Blame.LOCAL


def cells(**rows: str) -> list[Cell]:
    """`c1="A:0/50 B:40/50"`: consumer c1 failed 40 of 50 times at B."""
    found = []
    for local, text in rows.items():
        for part in text.split():
            upstream, _, counts = part.partition(":")
            bad, total = map(int, counts.split("/"))
            found.append(Cell(upstream, "" if local == "nobody" else local, total, bad))
    return found


@pytest.mark.parametrize(
    ("table", "blame", "upstream", "local"),
    [
        ({"c1": "A:40/50 B:0/50", "c2": "A:38/50 B:1/50"}, U, ("A",), ()),
        ({"c1": "A:15/50 B:1/50 C:0/50", "c2": "A:14/50 B:0/50 C:1/50"}, U, ("A",), ()),
        ({"c1": "A:40/50 B:41/50", "c2": "A:0/50 B:0/50"}, L, (), ("c1",)),
        ({"c1": "A:40/50", "c2": "A:0/50", "c3": "A:1/50"}, L, (), ("c1",)),
        ({"c1": "A:40/50 B:0/50"}, U, ("A",), ()),
        ({"c1": "A:40/50 B:42/50", "c2": "A:39/50 B:45/50"}, Blame.PLATFORM, (), ()),
        ({"c1": "A:40/50 B:0/50", "c2": "A:0/50 B:0/50"}, Blame.LINK, ("A",), ("c1",)),
        ({"c1": "A:40/50", "c2": "B:0/50"}, Blame.LINK, ("A",), ("c1",)),
        ({"nobody": "viettel:0/90 mobifone:40/90"}, U, ("mobifone",), ()),
        ({"nobody": "viettel:30/90 mobifone:40/90 vinaphone:50/90"}, Blame.PLATFORM, (), ()),
        ({"nobody": "viettel:40/90"}, Blame.UNKNOWN, ("viettel",), ()),  # nothing to compare it with
        ({"c1": "A:40/50", "c2": "A:40/50"}, Blame.UNKNOWN, ("A",), ("c1", "c2")),  # A, or what lies before it
        ({"c1": "A:40/50 B:0/50", "c2": "A:0/50 B:39/50"}, Blame.UNKNOWN, ("A", "B"), ("c1", "c2")),
        ({"c1": "A:40/50 B:0/50 C:45/50", "c2": "A:44/50 B:0/50 C:40/50"}, U, ("C", "A"), ()),
        ({"c1": "A:0/50"}, Blame.UNKNOWN, (), ()),
    ],
)
def test_blame(table: dict[str, str], blame: Blame, upstream: tuple[str, ...], local: tuple[str, ...]) -> None:
    place = attribute(cells(**table), 0.01)
    assert (place.blame, set(place.upstream), set(place.local)) == (blame, set(upstream), set(local))


def test_who_is_hardly_heard_says_nothing() -> None:
    many = {f"c{n}": "A:20/50 B:0/50" for n in range(5)} | {"new": "B:2/2"}
    assert attribute(cells(**many), 0.01).upstream == ("A",)
