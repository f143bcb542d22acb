"""Files of a series, and `soc score` as it is used in a shell."""

from __future__ import annotations

import gzip
import random
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from detector.score import Kind
from detector.score.series import HEADER, score_lines
from soc.cli import build

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")


def _scored(lines: list[str], kind: Kind = Kind.GAUGE) -> tuple[list[list[str]], list[tuple[int, str]]]:
    bad: list[tuple[int, str]] = []
    out = list(score_lines(lines, kind, VIETNAM, 4, lambda number, fault: bad.append((number, fault))))
    assert out[0] == HEADER
    return [line.rstrip("\n").split(",") for line in out[1:]], bad


def _lines(count: int = 2_000, seed: int = 1) -> list[str]:
    chance, start = random.Random(seed), datetime(2026, 3, 1)
    rows = [f"{start + timedelta(minutes=n)},{chance.gauss(50, 2):.3f}\n" for n in range(count)]
    return ["timestamp,value\n", *rows]


def test_each_line_is_judged_and_stands_as_it_was() -> None:
    lines = _lines()
    scored, bad = _scored(lines)
    assert not bad
    assert [f"{row[0]},{row[1]}\n" for row in scored] == lines[1:]
    for row in scored:
        assert len(row) == 7
        assert 0 <= float(row[2]) <= 1
        assert float(row[4]) <= float(row[3]) <= float(row[5])
        assert row[6] in ("0", "1")


def test_a_ratio_of_a_file_is_of_many() -> None:
    """Nothing in a file says of how many, and of one it would surprise nobody."""
    chance, start = random.Random(4), datetime(2026, 3, 1)
    shares = [0.2 if 1800 <= n < 1806 else max(chance.gauss(0.02, 0.004), 0.0) for n in range(2_000)]
    lines = [f"{start + timedelta(minutes=5 * n)},{share:.4f}\n" for n, share in enumerate(shares)]
    scored, _ = _scored(lines, Kind.RATIO)
    assert any(row[6] == "1" for row in scored[1800:1806])
    assert sum(row[6] == "1" for row in scored) < 20


def test_what_follows_changes_nothing_of_what_was_said() -> None:
    lines = _lines()
    scored, _ = _scored(lines)
    assert _scored(lines[:1_234])[0] == scored[:1_233]


@pytest.mark.parametrize(
    "written",
    [
        lambda at: at.strftime("%Y-%m-%d %H:%M:%S"),
        lambda at: at.strftime("%Y-%m-%dT%H:%M:%S"),
        lambda at: at.strftime("%Y-%m-%dT%H:%M:%S.000"),
        lambda at: at.replace(tzinfo=VIETNAM).isoformat(),
        lambda at: at.replace(tzinfo=VIETNAM).astimezone(ZoneInfo("UTC")).strftime("%Y-%m-%dT%H:%M:%SZ"),
        lambda at: str(int(at.replace(tzinfo=VIETNAM).timestamp())),
        lambda at: f"{at.replace(tzinfo=VIETNAM).timestamp():.1f}",
        lambda at: str(int(at.replace(tzinfo=VIETNAM).timestamp() * 1000)),
    ],
)
def test_times_may_be_written_in_many_ways(written) -> None:
    chance, start = random.Random(1), datetime(2026, 3, 1)
    rows = [(start + timedelta(minutes=n), chance.gauss(50, 2)) for n in range(1_500)]
    expected, _ = _scored([f"{at},{value:.3f}\n" for at, value in rows])
    scored, bad = _scored([f"{written(at)},{value:.3f}\n" for at, value in rows])
    assert not bad
    assert [row[1:] for row in scored] == [row[1:] for row in expected]


@pytest.mark.parametrize(
    "header",
    ["timestamp,value", "ts,kpi", "Value,Timestamp", '"timestamp","value"', "\ufefftimestamp,value", "value,time"],
)
def test_columns_are_found_by_name_and_else_by_place(header: str) -> None:
    swapped = header.lower().startswith("value")
    plain, _ = _scored(_lines(100))
    lines = [header + "\n"]
    for line in _lines(100)[1:]:
        at, value = line.rstrip("\n").split(",")
        lines.append(f"{value},{at}\n" if swapped else f"{at},{value}\n")
    scored, bad = _scored(lines)
    assert not bad
    assert scored == plain


def test_a_file_without_names_begins_with_data() -> None:
    assert _scored(_lines(100)[1:])[0] == _scored(_lines(100))[0]


def test_unknown_values_have_no_score_and_no_fault() -> None:
    lines = _lines(1_000)
    for number, unknown in ((800, ""), (801, "NaN"), (802, "null"), (803, "-nan")):
        lines[number] = f"{lines[number].split(',')[0]},{unknown}\n"
    scored, bad = _scored(lines)
    assert not bad
    assert [row[2] for row in scored[799:803]] == ["0.000000"] * 4
    assert len(scored) == 1_000


def test_bad_lines_are_named_with_their_fault_and_left_out() -> None:
    lines = _lines(50)
    lines[5] = "2026-03-01 99:00:00,1\n"
    lines[6] = "2026-03-01 00:05:00,five\n"
    lines[7] = "gibberish\n"
    lines[8] = "\n"
    lines[9] = f"2026-03-01 00:08:00,{'9' * 5000}\n"
    lines[10] = "--5,1\n"
    scored, bad = _scored(lines)
    assert len(scored) == 44
    assert [number for number, _ in bad] == [6, 7, 8, 10, 11]
    assert [fault.split()[-1] for _, fault in bad] == ["time", "value", "expected", "characters", "time"]


def test_a_comma_between_quotation_marks_is_of_the_value_and_no_value_is_cut_at_it() -> None:
    lines = _lines(50)
    lines[5] = '2026-03-01 00:04:00,"1,5"\n'
    lines[6] = '"2026-03-01 00:05:00","1,234"\n'
    lines[7] = '2026-03-01 00:06:00,"1.234,5"\n'
    lines[8] = '2026-03-01 00:07:00, "50.5","of the gate, north"\n'
    lines[9] = '2026-03-01 00:08:00,"1\n'
    lines[11] = '"2026-03-01 00:10:00" ,"50.5" \n'
    lines[10] = '"2026-03-01 00:09:00,500","50.5"\n'
    scored, bad = _scored(lines)
    assert [number for number, _ in bad] == [6, 7, 8, 10]
    assert bad[0][1] == "'1,5' is no value: a decimal point is expected, and no comma"
    assert "a quotation mark that is not closed" in bad[3][1]
    assert scored[4][:2] == ["2026-03-01 00:07:00", "50.5"]
    assert scored[5][:3] == ['"2026-03-01 00:09:00', '500"', "50.5"], "as it stood: its comma ends no column"


@pytest.mark.parametrize("value", ["inf", "-inf", "1e400"])
def test_what_is_beyond_all_numbers_is_a_bad_line(value: str) -> None:
    lines = _lines(50)
    lines[1] = lines[5] = f"2026-03-01 00:04:00,{value}\n"
    assert _scored(lines)[1] == [(2, f"'{value}' is no value"), (6, f"'{value}' is no value")]
    assert _scored(lines[1:])[1] == [(1, f"'{value}' is no value"), (5, f"'{value}' is no value")], (
        "no names of columns"
    )


def _soc(*arguments: str, stdin: str = ""):
    return CliRunner().invoke(build("score"), ["score", *arguments], input=stdin)


def test_the_command_reads_files_and_standard_input(tmp_path: Path) -> None:
    path = tmp_path / "series.csv"
    path.write_text("".join(_lines(200)))
    from_file = _soc(str(path), "--alarm-budget", "2")
    assert from_file.exit_code == 0
    assert from_file.stdout.splitlines()[0] + "\n" == HEADER
    assert len(from_file.stdout.splitlines()) == 201


def test_the_command_reads_a_compressed_file(tmp_path: Path) -> None:
    text = "".join(_lines(200))
    (tmp_path / "series.csv").write_text(text)
    (tmp_path / "series.csv.gz").write_bytes(gzip.compress(text.encode()))
    found = _soc(str(tmp_path / "series.csv.gz"))
    assert found.exit_code == 0
    assert found.stdout == _soc(str(tmp_path / "series.csv")).stdout == _soc("-", stdin=text).stdout
    (tmp_path / "cut.gz").write_bytes(gzip.compress(text.encode())[:-20])
    assert _soc(str(tmp_path / "cut.gz")).exit_code == 2
    (tmp_path / "no.gz").write_text(text)
    assert "Not a gzipped file" in _soc(str(tmp_path / "no.gz")).stderr


def test_ratios_that_are_none_are_told_of(tmp_path: Path) -> None:
    header, *rows = _lines(300)
    rows[7], rows[8] = "2026-03-01 00:07:00,0.97\n", "2026-03-01 00:08:00,\n"
    file = tmp_path / "percents.csv"
    file.write_text("".join([header, *rows]))
    done = _soc(str(file), "--kind", "ratio")
    assert done.exit_code == 0
    assert "298 of 300 values are not between 0 and 1: are they percents?" in done.stderr
    assert "between 0 and 1" not in _soc(str(file)).stderr
    file.write_text("".join([header, *(f"{row.split(',')[0]},0.97\n" for row in rows), "2026-03-01 05:00:00,1\n"]))
    assert _soc(str(file), "--kind", "ratio").stderr == ""


def test_bad_lines_end_with_three_and_bad_usage_with_two(tmp_path: Path) -> None:
    path = tmp_path / "series.csv"
    path.write_text("".join(_lines(20)) + "never,5\n")
    found = _soc(str(path))
    assert found.exit_code == 3
    assert "line 22: 'never' is no time" in found.stderr
    path.write_text("timestamp,value\n")
    assert _soc(str(path)).exit_code == 3
    path.write_text("")
    found = _soc(str(path))
    assert found.exit_code == 3
    assert "no line of a time and a value" in found.stderr
    assert _soc(str(tmp_path / "none.csv")).exit_code == 2
    for zone in ("Nowhere", "+25:00"):
        assert _soc(str(path), "--zone", zone).exit_code == 2
    assert _soc(str(path), "--alarm-budget", "-1").exit_code == 2


def test_a_budget_of_more_than_can_be_spent_counts_as_the_most_that_can(tmp_path: Path) -> None:
    path = tmp_path / "series.csv"
    path.write_text("".join(_lines(20)))
    most = _soc(str(path), "--alarm-budget", "48")
    assert (most.exit_code, most.stderr) == (0, "")
    for budget in ("48.1", "336"):
        found = _soc(str(path), "--alarm-budget", budget)
        assert (found.exit_code, found.stdout) == (0, most.stdout)
        assert f"--alarm-budget {budget} counts as 48, one half hour in seven" in found.stderr


def test_a_file_that_is_not_in_order_of_time_is_told_of(tmp_path: Path) -> None:
    header, *rows = _lines(300)
    file = tmp_path / "newest-first.csv"
    file.write_text("".join([header, *reversed(rows)]))
    done = CliRunner().invoke(build(), ["score", str(file)])
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == 301
    assert (
        "of 300 values are not later than those before them and were not judged: is the file in order of time?"
        in done.stderr
    )
