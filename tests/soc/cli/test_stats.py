"""`soc rules list --stats`."""

from __future__ import annotations

import orjson
from typer.testing import CliRunner

from soc.cli import rules
from soc.model.ledger import Deeds, Entries
from soc.model.rule import RuleDoc
from soc.service.process import now_ms
from soc.store.detections import SqliteDetections


def test_what_the_rules_that_run_saw_and_found(tmp_path):
    detections, now = SqliteDetections(tmp_path), now_ms()
    detections.publish([RuleDoc(name, f"h{name}", f"Rule [{name}]", "high", "text") for name in "ab"], [])
    done = Entries({("b", "hue"): Deeds(7, 4, 3)}, {("all", "hue"): 1234}, {"all": ("a", "b")})
    detections.commit([], {}, {}, {}, None, now, (), done)
    told = CliRunner().invoke(rules.app, ["list", "--stats", "--data-dir", str(tmp_path)])
    assert (told.exit_code, told.exception) == (0, None)
    [_, first, second] = told.output.splitlines()
    assert first.split()[:6] == ["Rule", "[b]", "1,234", "7", "4", "3"]
    assert second.split()[:6] == ["Rule", "[a]", "1,234", "0", "0", "0"]
    lines = (
        CliRunner().invoke(rules.app, ["list", "--stats", "--json", "--data-dir", str(tmp_path)]).output.splitlines()
    )
    hour = now - now % 3_600_000
    assert [(one["id"], one["last_match"], one["last_run"]) for one in map(orjson.loads, lines)] == [
        ("b", hour, hour),
        ("a", None, hour),
    ]
