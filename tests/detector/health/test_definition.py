"""Objectives that are wrong are said with file, line, field and reason, and the others run."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.health.definition import load

GOOD = """name: mail-delivered
titles: {vi: Thư tới nơi, en: Mail delivered}
system: mail
measure: success
datasets: [postfix]
where: event.action:delivery
good: event.outcome:success
objective: 99.5
"""


def test_what_comes_with_govsoc_is_right() -> None:
    slos, faults = load()
    assert not faults
    assert {slo.system for slo in slos} == {"portal", "otp", "lgsp"}
    assert {slo.measure for slo in slos if slo.system == "lgsp"} == {"success", "latency"}


def test_an_administrators_own(tmp_path: Path) -> None:
    (tmp_path / "mail.yml").write_text(GOOD)
    slos, faults = load([tmp_path])
    assert not faults
    assert slos[0].objective == 0.995
    assert slos[0].counts({"event.action": "delivery"})
    assert not slos[0].good({"event.outcome": "failure"})


def test_the_first_folder_wins(tmp_path: Path) -> None:
    for name, objective in (("a", "99.5"), ("b", "90")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mail.yml").write_text(GOOD.replace("99.5", objective))
    slos, faults = load([tmp_path / "a", tmp_path / "b"])
    assert not faults
    assert [slo.objective for slo in slos] == [0.995]


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("objective: 99.5", "objective: 100", "8: objective: Input should be less than"),
        ("objective: 99.5", "objektive: 99.5", "1: objective: Field required"),
        ("objective: 99.5", "objective: .nan", "8: objective: "),
        ("system: mail", "system: fax", "3: system: is 'fax', and has to be one of portal"),
        ("good: event.outcome:success", "good: 'event.outcome:('", "7: good: is no search expression"),
        ("good: event.outcome:success", "good: ''", "7: good: has fewer letters than 1"),
        ("datasets: [postfix]", "datasets: []", "5: datasets: "),
        ("datasets: [postfix]", "datasets: [postfix, 3]", "5: datasets.1: "),
        (
            "titles: {vi: Thư tới nơi, en: Mail delivered}",
            "titles: {en: Mail delivered}",
            "2: titles.vi: Field required",
        ),
        ("measure: success", "name: again", "4: name: is there twice"),
        ("name: mail-delivered", "slos: [1]\nname: mail-delivered", "1: slos: Extra inputs"),
        ("name: mail-delivered", "name: [", "3: is not valid YAML"),
        ("where: event.action:delivery", "where: *a", "6: is not valid YAML: aliases"),
    ],
)
def test_faults(tmp_path: Path, old: str, new: str, where: str) -> None:
    assert old in GOOD
    (tmp_path / "a.yml").write_text(GOOD.replace(old, new))
    (tmp_path / "b.yml").write_text(GOOD.replace("mail-delivered", "other"))
    slos, faults = load([tmp_path])
    assert [slo.name for slo in slos] == ["other"]
    assert str(faults[0]).startswith(f"{tmp_path / 'a.yml'}:{where}"), faults[0]


def test_an_endless_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_bytes(b"#" * 300_000)
    (tmp_path / "b.yml").write_bytes(b"\xff\xfe")
    slos, faults = load([tmp_path])
    assert not slos
    assert len(faults) == 2


@pytest.mark.parametrize("name", ["2026-02-30", "!!int x", "[" * 20_000])
def test_a_slip_of_the_pen_stops_no_other(tmp_path: Path, name: str) -> None:
    (tmp_path / "bad.yml").write_text(f"name: {name}\n")
    (tmp_path / "mail.yml").write_text(GOOD)
    slos, faults = load([tmp_path])
    assert len(slos) == 1
    assert {fault.path for fault in faults} == {str(tmp_path / "bad.yml")}
