"""The audit on a terminal."""

from __future__ import annotations

import orjson
import typer
from typer.testing import CliRunner

from soc.cli.audit import audit
from soc.store.base import AuditEntry
from soc.store.sqlite import open_stores


def test_it_is_listed_newest_first_and_no_more_than_asked_for(tmp_path):
    stores = open_stores(tmp_path)
    for n in range(120):
        stores.audit.record(AuditEntry(n, f"an{n % 2}", "alert.change", f"alert-{n}", "\x1b[31mred"))
    app = typer.Typer()
    app.command()(audit)

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(app, [*arguments, "--data-dir", str(tmp_path)])
        assert done.exit_code == 0, done.output
        return done.stdout

    lines = [orjson.loads(line) for line in run("--by", "an1", "--most", "55", "--json").splitlines()]
    assert [line["at"] for line in lines] == list(range(119, 9, -2))
    assert "alert-119" in run("--most", "1")
    assert "alert-118" not in run("--most", "1")
    assert "\x1b" not in run("--most", "1")
