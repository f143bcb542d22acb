"""What is saved goes on as if nothing had happened, and what is damaged is refused."""

from __future__ import annotations

import pytest
from habits import DAY_MS, MONDAY_MS, WHAT, office, profiles
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.entities.budget import Budget
from detector.entities.item import Item
from detector.entities.profiles import Profiles
from soc.errors import ConfigError

ACTS = list(office(9, people=12))


def run(restarts: frozenset[int]) -> list[Item]:
    """Through the second Tuesday; after each so-many-th event there is a restart."""
    watched = profiles()
    items: list[Item] = []
    scan = [
        (MONDAY_MS + 8 * DAY_MS + 36_000_000 + at * 500, "u02", {"destination.ip": f"10.8.0.{at}"}) for at in range(90)
    ]
    for at, (ts, entity, fields) in enumerate(sorted([*ACTS, *scan], key=lambda act: act[0])):
        items += watched.close(ts)
        watched.observe(ts, entity, fields)
        if at in restarts:
            saved = watched.dump()
            watched = profiles()
            watched.load(saved)
            assert watched.dump() == saved
    return items + watched.close(1 << 50)


def test_a_restart_gives_the_same_items():
    undisturbed = run(frozenset())
    assert undisturbed
    assert run(frozenset({500, 1001, 5000, 9000, 10_200})) == undisturbed


def saved() -> bytes:
    watched = profiles()
    for ts, entity, fields in ACTS[:2000]:
        watched.close(ts)
        watched.observe(ts, entity, fields)
    return watched.dump()


SAVED = saved()


@settings(deadline=None)
@given(st.integers(0, len(SAVED) - 1), st.integers(1, 255))
def test_a_changed_byte_is_noticed(at, change):
    damaged = SAVED[:at] + bytes([SAVED[at] ^ change]) + SAVED[at + 1 :]
    with pytest.raises(ConfigError, match="delete them"):
        profiles().load(damaged)


@pytest.mark.parametrize("damaged", [b"", b"govsoc-entities", SAVED[:-1], b"\x80\x04K\x01."])
def test_what_is_cut_off_or_something_else_is_refused(damaged):
    with pytest.raises(ConfigError, match="delete them"):
        profiles().load(damaged)


def test_other_fields_are_refused():
    for other in (profiles(field="source.ip"), Profiles("user.id", WHAT[:2], Budget(10))):
        with pytest.raises(ConfigError, match="other fields or buckets"):
            other.load(SAVED)
