"""Plans of what happens when: read from a file with its mistakes explained, or drawn by chance."""

from __future__ import annotations

import inspect
import itertools
import json
from collections import Counter
from datetime import datetime
from random import Random

import pytest
from typer.testing import CliRunner

from soc.cli import build
from soc.errors import ConfigError
from soc.simulator import KINDS, draw, lgsp, read_plan
from soc.simulator.behaviours import BEHAVIOURS
from soc.simulator.calendar import day_kind
from soc.simulator.episode import Scene
from soc.simulator.line import DAY_MS, HOUR_MS, ZONE
from soc.simulator.people import officers
from soc.simulator.plan import MAX_BYTES, MAX_ITEMS

MONDAY = int(datetime(2026, 3, 2, tzinfo=ZONE).timestamp() * 1000)


def test_a_plan_is_read_in_order_of_time(tmp_path):
    file = tmp_path / "plan.yml"
    file.write_text(
        "- {at: 2026-03-03T09:00:00, kind: otp_loss, carrier: viettel, share: 0.3, minutes: 60}\n"
        "- {at: '2026-03-02T02:00:00Z', kind: sqli_scan}\n"
    )
    first, second = read_plan(file)
    assert (first.at, first.kind, first.how) == (MONDAY + 9 * HOUR_MS, "sqli_scan", {})
    assert (second.at, second.kind) == (MONDAY + DAY_MS + 9 * HOUR_MS, "otp_loss")
    assert second.how == {"carrier": "viettel", "share": 0.3, "minutes": 60}
    (tmp_path / "plan.json").write_text(json.dumps([{"at": "2026-03-02T09:00:00", "kind": "sqli_scan"}]))
    assert read_plan(tmp_path / "plan.json") == [first]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind: x", "a plan is a list"),
        ("- sqli_scan", "item 1: it needs `at`"),
        ("- {at: 2026-03-02T09:00:00, kind: earthquake}", "kind 'earthquake' is unknown: choose one of "),
        ("- {at: soon, kind: sqli_scan}", "write it like 2026"),
        ("- {at: 2026-03-02T09:00:00, kind: otp_loss, carier: viettel}", "otp_loss has no option 'carier': minutes, carrier, share"),
        ("- {at: 2026-03-02T09:00:00, kind: otp_loss, share: much}", "share of otp_loss is float, not 'much'"),
        ("- {at: 2026-03-02T09:00:00, kind: otp_loss, share: true}", "share of otp_loss is float, not True"),
        ("- {at: 2026-03-02T09:00:00, kind: otp_loss, minutes: .nan}", "minutes of otp_loss is a number above 0"),
        ("- {at: 2026-03-02T09:00:00, kind: otp_loss, minutes: -5}", "minutes of otp_loss is a number above 0"),
        ("- {at: 2026-03-02T09:00:00, kind: surge, factor: 1.0e+9}", "factor of surge is a number above 0"),
        ("- {at: 2026-03-02T09:00:00, kind: mass_export, calls: 1000000000}", "calls of mass_export is a number above 0"),
        ("- {at: 2026-03-02T09:00:00, kind: officer_reads_many, factor: 0.5}", "factor of officer_reads_many is a number above 1"),
        ("- {at: 2026-03-02T09:00:00, kind: lgsp_slow, factor: 1}", "factor of lgsp_slow is a number above 1"),
        ("- {at: 2026-03-02T09:00:00, kind: officer_reads_many, hours: 0.01}", "hours of officer_reads_many is a number from 0.1"),
        ("- {at: 2026-03-02T09:00:00, kind: lgsp_link_flaps, every_s: 0.0001}", "every_s of lgsp_link_flaps is a number from 1"),
        ("- {at: 2026-13-05, kind: sqli_scan}", "is not YAML: month must be in 1..12"),
        ("[" * 20_000, "is not YAML"),
        ("- {a: [", "is not YAML"),
        ("- {at: 2026-03-02T09:00:00, kind: sqli_scan}\n" * (MAX_ITEMS + 1), f"at most {MAX_ITEMS}"),
        ("#" * (MAX_BYTES + 1), "bytes"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_plan_is_explained(tmp_path, text, words):
    (tmp_path / "plan.yml").write_text(text)
    with pytest.raises(ConfigError) as raised:
        read_plan(tmp_path / "plan.yml")
    assert words in str(raised.value)
    assert "plan.yml" in str(raised.value)


def test_a_name_that_nobody_has_is_explained(tmp_path):
    (tmp_path / "plan.yml").write_text("- {at: 2026-03-02T09:00:00, kind: otp_loss, carrier: vodafone}")
    with pytest.raises(ConfigError, match="item 1: carrier 'vodafone' is unknown: choose one of viettel"):
        read_plan(tmp_path / "plan.yml")


def test_whatever_is_accepted_can_be_made(tmp_path):
    """Each option of each kind at the ends of what it may be."""
    file, accepted = tmp_path / "plan.yml", Counter[str]()
    ends = ("0.1", "1.01", "1", "100", "10000")
    for kind, make in KINDS.items():
        options = [one for one in inspect.signature(make).parameters.values() if one.kind is one.KEYWORD_ONLY]
        for option, end in itertools.product([one.name for one in options if one.annotation != "str"], ends):
            file.write_text(f"- {{at: 2026-03-02T09:00:00, kind: {kind}, {option}: {end}}}")
            try:
                [item] = read_plan(file)
            except ConfigError:
                continue
            accepted[kind] += 1
            for seed in range(2):
                made = make(item.at, Random(seed), Scene(officers(Random(seed), 50)), **item.how)
                assert made.incident.end >= made.incident.start
                if made.effect is not None and "lgsp.gateway" in made.effect.streams:
                    calls = [lgsp.call(item.at + n, Random(n), lgsp.SERVICES[0], "CU-DVC") for n in range(2)]
                    made.effect.change(calls)
    assert len(accepted) > 15


def test_drawn_faults_come_after_learning_on_workdays_and_of_every_kind():
    plan = draw(1, MONDAY, MONDAY + 35 * DAY_MS)
    assert plan == draw(1, MONDAY, MONDAY + 35 * DAY_MS)
    assert plan != draw(2, MONDAY, MONDAY + 35 * DAY_MS)
    assert plan[0].at >= MONDAY + 14 * DAY_MS
    assert [item.at for item in plan] == sorted(item.at for item in plan)
    assert {day_kind(datetime.fromtimestamp(item.at / 1000, ZONE).date()) for item in plan} == {"workday"}
    kinds = Counter(item.kind for item in plan)
    assert set(kinds) <= set(KINDS)
    assert len(kinds) >= len(BEHAVIOURS) + 8


def simulate(*arguments: str):
    return CliRunner().invoke(build("simulate"), ["simulate", *arguments])


def test_the_command_follows_a_plan(tmp_path):
    (tmp_path / "plan.yml").write_text("- {at: 2026-03-02T08:10:00, kind: lgsp_slow, provider: DVCQG, minutes: 10}")
    where = ("--out", str(tmp_path), "--duration", "30m", "--rate", "0.1", "--start", "2026-03-02T08:00:00")
    result = simulate(*where, "--faults", str(tmp_path / "plan.yml"))
    assert result.exit_code == 0, result.output
    [truth] = [json.loads(line) for line in (tmp_path / "incidents.ndjson").read_text().splitlines()]
    assert truth == {
        "kind": "lgsp_slow", "start": "2026-03-02T08:10:00.000+07:00", "end": "2026-03-02T08:20:00.000+07:00",
        "stream": "lgsp.gateway", "component": "lgsp", "system": "lgsp", "org": "hungyen", "feature": "lgsp.latency",
        "expect": "anomaly", "govsoc.lgsp.provider": "DVCQG",
    }  # fmt: skip


def test_random_faults_need_an_end(tmp_path):
    result = simulate("--out", str(tmp_path), "--realtime", "--faults", "random")
    assert isinstance(result.exception, ConfigError)
    assert "--faults random needs --duration" in str(result.exception)
    done = simulate(
        "--out", str(tmp_path), "--duration", "2d", "--rate", "0.01", "--faults", "random", "--start", "2026-03-02"
    )
    assert done.exit_code == 0, done.output
    assert "0 incidents" not in done.stderr
