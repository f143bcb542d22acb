"""`soc rules lint` as it is used in a shell."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from soc.cli import build

GOOD = "title: t{n}\nlogsource: {{product: x}}\ndetection: {{s: {{f: {n}}}, condition: s}}\n"
BAD = "title: t\nlevel: huge\nlogsource: {product: x}\ndetection:\n  s: {f|re: '(a', g|expand|endswith: '%x%'}\n  condition: s\n"


@pytest.fixture
def lint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "rules").mkdir()
    for n in range(3):
        (tmp_path / "rules" / f"{n}.yml").write_text(GOOD.format(n=n))

    def run(*arguments: str):
        return CliRunner().invoke(build(), ["rules", "lint", str(tmp_path / "rules"), *arguments])

    return run


def test_every_fault_is_said_with_line_and_column_and_then_the_sum(lint, tmp_path: Path) -> None:
    bad = tmp_path / "rules" / "bad.yml"
    bad.write_text(BAD)
    done = lint("--faults")
    assert done.exit_code == 3
    assert [line.split(": ")[0] for line in done.stdout.splitlines()] == [f"{bad}:2:1", f"{bad}:5:7", f"{bad}:5:19"]
    assert "b'" not in done.stdout
    assert "3 rules, 3 errors (1 of them for what is not supported), 0 warnings; 4 files compiled" in done.stderr


def test_what_has_not_changed_is_not_compiled_again(lint, tmp_path: Path) -> None:
    assert (
        "3 rules, 0 errors (0 of them for what is not supported), 0 warnings; 3 files compiled"
        in lint("--faults").stderr
    )
    assert (tmp_path / "cache" / "govsoc" / "rules" / "compiled.sqlite").is_file()
    assert "; 0 files compiled" in lint("--faults").stderr
    assert "warning: no `level`" in lint().stdout


def test_without_a_place_for_the_cache_it_works_all_the_same(lint, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    assert "; 3 files compiled" in lint("--faults").stderr
    assert lint("--faults").exit_code == 0


def test_a_pipeline_that_is_not_there_is_bad_usage(lint) -> None:
    done = lint("--pipeline", "nowhere")
    assert done.exit_code == 2
    assert "no pipeline 'nowhere'" in done.stderr
