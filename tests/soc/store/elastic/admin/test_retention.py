from __future__ import annotations

from datetime import UTC, datetime

from soc.settings import Retention
from soc.store.elastic.admin.retention import KINDS, Index, Limit, plan


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


NOW = ms("2026-11-25T12:00")


def index(name: str, size: int = 10, created: str = "2026-01-01") -> Index:
    return Index(f"govsoc-{name}", size, 1, ms(created))


def gone(there: list[Index], **limits: Limit) -> list[str]:
    return [one.index.name.removeprefix("govsoc-") for one in plan(there, limits, NOW)]


def test_an_index_goes_when_the_end_of_its_period_is_old_enough():
    there = [index(f"events-web-h42-2026.{month:02d}") for month in (9, 8, 7, 10, 11)]
    assert gone(there, web=Limit(days=56)) == [f"events-web-h42-2026.{month:02d}" for month in (7, 8)]
    assert gone(there, web=Limit(days=55)) == [f"events-web-h42-2026.{month:02d}" for month in (7, 8, 9)]
    assert gone(there, web=Limit()) == gone(there, auth=Limit(days=1)) == []


def test_each_kind_has_its_own_limit():
    names = [f"events-{kind}-h42-2026.01" for kind in ("web", "auth", "gateway", "other")]
    names += ["findings-h42-2026.01", "audit-2026.01"]
    there = [index(name) for name in names]
    for kind, expected in zip(("web", "auth", "gateway", "other"), names[:4], strict=True):
        assert gone(there, **{kind: Limit(days=30)}) == [expected]
    assert gone(there, findings=Limit(days=30)) == ["findings-h42-2026.01"]
    assert gone(there, audit=Limit(days=30)) == ["audit-2026.01"]


def test_too_much_goes_oldest_first_over_all_provinces_and_no_more_than_is_needed():
    there = [
        index("events-web-h42-2026.09", 30),
        index("events-web-h30-2026.08", 30),
        index("events-web-h30-2026.w39", 30),
        index("events-web-h42-2026.11", 30),
    ]
    assert gone(there, web=Limit(bytes=120)) == []
    assert gone(there, web=Limit(bytes=119)) == ["events-web-h30-2026.08"]
    assert gone(there, web=Limit(bytes=60)) == ["events-web-h30-2026.08", "events-web-h30-2026.w39"]


def test_the_running_period_stays_whatever_it_takes():
    there = [index("events-web-h42-2026.11", 500), index("events-web-h42-2026.10", 500)]
    assert gone(there, web=Limit(days=1, bytes=1)) == ["events-web-h42-2026.10"]


def test_age_counts_first_and_what_it_frees_counts_for_the_size():
    there = [
        index("events-web-h42-2026.01", 60),
        index("events-web-h42-2026.09", 60),
        index("events-web-h42-2026.10", 60),
    ]
    assert gone(there, web=Limit(days=100, bytes=120)) == ["events-web-h42-2026.01"]


def test_the_quarantine_is_as_old_as_its_index():
    there = [index("events-quarantine-h42", created="2026-10-01")]
    assert gone(there, quarantine=Limit(days=30)) == ["events-quarantine-h42"]
    assert gone(there, quarantine=Limit(days=60)) == []


def test_what_has_no_date_is_still_written_and_goes_as_the_quarantine_does():
    undated = ["findings-h42-undated", "audit-undated", "events-web-h42-undated"]
    there = [index(name, 500, created="2020-01-01") for name in undated]
    own = {kind: Limit(days=1, bytes=1) for kind in KINDS if kind != "quarantine"}
    assert gone(there, **own) == []
    assert sorted(gone(there, quarantine=Limit(days=30))) == sorted(undated)
    defaults = Retention().model_dump()
    assert gone(there, **{kind: Limit(defaults[f"{kind}_days"], defaults[f"{kind}_bytes"]) for kind in KINDS}) == []


def test_what_is_not_ours_or_is_state_is_never_touched():
    there = [Index(name, 10**12, 1, 0) for name in ("other-2020.01", "govsoc", "govsoc-x-2020.01", ".security-7")]
    there += [index(name, 10**12) for name in ("alerts-h42", "triage-h42", "sources", "accounts", "rules", "health")]
    assert gone(there, **{kind: Limit(1, 1) for kind in KINDS}) == []


def test_every_kind_can_be_set():
    assert {f"{kind}_{what}" for kind in KINDS for what in ("days", "bytes")} == set(Retention.model_fields)
