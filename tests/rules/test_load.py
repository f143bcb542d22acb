"""Rule files: what is kept of a good one, and that a bad one is refused with file, line and reason while the others load."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

import pytest

from rules.desk.blind import logsources
from rules.engine import Engine
from rules.load.folders import load, loads
from soc.errors import ConfigError

GOOD = """\
title: A good rule
id: 6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0001
name: good
status: test
level: high
description: what it does
author: me
tags: [attack.t1110]
references: [https://example.org]
falsepositives: [none]
logsource: {product: Linux, service: sshd}
detection:
  sel:
    f: 1
  condition: sel
govsoc:
  entity: source.ip
  title: {vi: Luật tốt}
  runbook: {vi: làm gì, en: what to do}
"""


def test_everything_of_a_rule_is_kept() -> None:
    (rule,) = loads(GOOD, "a.yml").rules
    assert (rule.id, rule.name, rule.title, rule.title_vi) == (
        "6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0001",
        "good",
        "A good rule",
        "Luật tốt",
    )
    assert (rule.level, rule.status, rule.entity, rule.tags) == ("high", "test", "source.ip", ("attack.t1110",))
    assert (rule.runbook_vi, rule.runbook_en, rule.description, rule.author) == (
        "làm gì",
        "what to do",
        "what it does",
        "me",
    )
    assert (rule.references, rule.falsepositives) == (("https://example.org",), ("none",))
    assert str(rule.logsource) == "product linux, service sshd"
    assert rule.text == GOOD.strip()
    assert not rule.silent


def test_the_hash_follows_the_text_but_not_line_ends() -> None:
    one = loads(GOOD).rules[0].hash
    assert loads(GOOD.replace("\n", "\r\n")).rules[0].hash == one
    assert loads("---\n" + GOOD).rules[0].hash == one
    assert loads(GOOD.replace("f: 1", "f: 2")).rules[0].hash != one


# Each: what replaces `f: 1` or what is put on top, the line of the fault, and a word of the reason.
@pytest.mark.parametrize(
    ("change", "line", "reason"),
    [
        (("    f: 1", "    f: 1\n    f: 2"), 15, "twice"),
        (("    f: 1", "    g: 1\n    f|nonsense: 2"), 15, "nonsense"),
        (("    f: 1", "    g: 1\n    f|re: '(a'"), 15, "invalid"),
        (("    f: 1", "    f|re: 'a(?=b)'"), 14, "lookaround"),
        (("    f: 1", r"    f|re: '(a)\1'"), 14, "backreferences"),
        (("    f: 1", "    f|re: 'a{100000}'"), 14, "invalid"),
        (("    f: 1", "    f|cidr: 10.0.0.1/8"), 14, "CIDR"),
        (("    f: 1", "    f|gt: many"), 14, "incompatible"),
        (("    f: 1", "    f|expand: 'x%servers%'"), 14, "placeholder"),
        (("    f: 1", "    f|base64: 'a*'"), 14, "wildcards"),
        (("    f: 1", "    f: {a: 1}"), 14, "nsupported"),
        (("    f: 1", "    f: 2020-01-01"), 14, "quotes"),
        (("condition: sel", "condition: sel and"), 15, "Expected"),
        (("condition: sel", "condition: other"), 15, "other"),
        (("condition: sel", "condition: 1 of x_*"), 15, "x_*"),
        (("condition: sel", "condition: sel | count() > 5"), 15, "pipe"),
        (("level: high", "level: huge"), 5, "huge"),
        (("level: high", "level: [1]"), 5, "level"),
        (("tags: [attack.t1110]", "tags: attack.t1110"), 8, "list"),
        (("product: Linux, service: sshd", "definition: x"), 11, "log source"),
        (("id: 6f1f7d0a", "id: 6f1f"), 2, "UUID"),
        (("entity: source.ip", "entity: [a]"), 17, "text"),
        (("  runbook: {vi: làm gì, en: what to do}", "  runbook: [a]"), 19, "mapping"),
        (("title: A good rule", "title: 'A good rule"), 20, "YAML"),
        (("title: A good rule", "title: !!python/object:os.system A"), 1, "YAML"),
        (("detection:", "detections:"), 1, "detection"),
    ],
)
def test_a_bad_rule_is_refused_where_it_is_wrong(
    tmp_path: Path, change: tuple[str, str], line: int, reason: str
) -> None:
    (tmp_path / "bad.yml").write_text(GOOD.replace(*change), encoding="utf-8")
    (tmp_path / "good.yml").write_text(GOOD, encoding="utf-8")
    ruleset = load([tmp_path])
    assert [rule.path for rule in ruleset.rules] == [str(tmp_path / "good.yml")]
    assert [error.path for error in ruleset.errors] == [str(tmp_path / "bad.yml")]
    assert reason in ruleset.errors[0].reason
    assert "\n" not in str(ruleset.errors[0])
    assert abs((ruleset.errors[0].line or 0) - line) <= (1 if "YAML" in reason else 0)


def test_all_faults_of_all_files_come_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(
        GOOD.replace("level: high", "level: huge").replace("status: test", "status: odd"), "utf-8"
    )
    (tmp_path / "b.yml").write_text("- 1\n", "utf-8")
    (tmp_path / "c.yml").write_bytes(b"title: \xff\n")
    (tmp_path / "d.yml").write_text(GOOD, "utf-8")
    (tmp_path / "e.yml").write_text(GOOD, "utf-8")
    (tmp_path / "f.cases.yml").write_text("not a rule", "utf-8")
    (tmp_path / "g.yml").symlink_to(tmp_path / "nowhere")
    ruleset = load([tmp_path, tmp_path / "missing"])
    found = {(Path(error.path or "").name, error.reason.split()[0]) for error in ruleset.errors}
    assert len([error for error in ruleset.errors if error.path == str(tmp_path / "a.yml")]) == 2
    assert {name for name, _ in found} == {"a.yml", "b.yml", "c.yml", "e.yml", "missing"}
    assert f"already taken by {tmp_path / 'd.yml'}:1" in next(
        e.reason for e in ruleset.errors if e.path == str(tmp_path / "e.yml")
    )
    assert len(ruleset.rules) == 1


BOMBS = {
    "billion laughs": "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{c}: &{c} [{','.join(['*' + p] * 10)}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True)),
    "deep nesting": "a: " + "[" * 100_000,
    "deep blocks": "\n".join(" " * i + "- a:" for i in range(3000)),
    "many aliases": "a: &a 1\nb: [" + "*a," * 5000 + "]",
    "recursive": "&a\ntitle: t\nlogsource: {product: x}\ndetection: &d {s: *d, condition: s}\n",
    "recursive list": "title: t\nlogsource: {product: x}\ndetection: {s: &l [*l], condition: s}\n",
    "too large": "# " + "x" * (1 << 20),
    "long expression": f"title: t\nlogsource: {{product: x}}\ndetection:\n  s:\n    f|re: '{'a?' * 100_000}'\n  condition: s\n",
    "costly expression": f"title: t\nlogsource: {{product: x}}\ndetection:\n  s:\n    f|re: '{'(a?){50}' * 1800}'\n  condition: s\n",
    "complex key": "? [a, b]\n: 1\n",
    "number keys": "1: 2\n",
    "null": "title:\nlogsource:\ndetection:\n",
    "lists everywhere": "title: [a]\nlogsource: [a]\ndetection: [a]\n",
    "texts everywhere": "title: a\nlogsource: a\ndetection: a\n",
    "many windashes": "title: t\nlogsource: {product: x}\ndetection:\n  s:\n    f|windash|base64: '"
    + " -a" * 30
    + "'\n  condition: s\n",
    "deep condition": "title: t\nlogsource: {product: x}\ndetection:\n  s: {f: 1}\n  condition: "
    + "not " * 4000
    + "s\n",
    "filter": "title: t\nfilter: {rules: [a]}\n",
    "empty detection": "title: t\nlogsource: {product: x}\ndetection: {s: {}, condition: s}\n",
    "control character": "title: \x01\n",
}


@pytest.mark.parametrize("name", list(BOMBS))
def test_hostile_files_are_refused_and_quickly(tmp_path: Path, name: str) -> None:
    (tmp_path / "bad.yml").write_text(BOMBS[name], encoding="utf-8")
    (tmp_path / "good.yml").write_text(GOOD, encoding="utf-8")
    ruleset = load([tmp_path])
    assert [rule.title for rule in ruleset.rules] == ["A good rule"]
    assert {error.path for error in ruleset.errors} == {str(tmp_path / "bad.yml")}
    assert all(len(error.reason) < 1000 for error in ruleset.errors)


def test_what_is_not_a_pipeline_is_a_configuration_error(tmp_path: Path) -> None:
    path = tmp_path / "p.yml"
    for text in ("- 1", "transformations: [{type: nonsense}]", "a: ["):
        path.write_text(text)
        with pytest.raises(ConfigError, match=r"p\.yml"):
            loads(GOOD, pipelines=[path])


def test_a_pipeline_renames_fields_and_fills_placeholders(tmp_path: Path) -> None:
    path = tmp_path / "p.yml"
    path.write_text(
        "vars: {servers: [a, b]}\ntransformations:\n- {type: field_name_mapping, mapping: {f: host.name}}\n"
        "- {type: value_placeholders}\n- {type: change_logsource, product: nginx}\n"
    )
    ruleset = loads(GOOD.replace("f: 1", "f|expand: '%servers%'"), pipelines=[path])
    assert not ruleset.errors
    assert ruleset.rules[0].logsource.product == "nginx"
    assert "host.name" in repr(ruleset.rules[0].condition.__repr__())


CORRELATION = """
title: Many
id: 6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0002
correlation:
  type: event_count
  rules: [good]
  group-by: [source.ip]
  timespan: 5m
  condition: {gte: 3}
"""


def test_base_rules_of_a_correlation_are_silent_unless_they_say_generate() -> None:
    both = loads(GOOD + "---" + CORRELATION).rules
    assert [rule.silent for rule in both] == [True, False]
    assert both[1].correlation is not None
    assert both[1].correlation.rules == (both[0].id,)
    assert [r.silent for r in loads(GOOD + "generate: true\n---" + CORRELATION).rules] == [False, False]
    assert [r.silent for r in loads(GOOD + "---" + CORRELATION + "  generate: true\n").rules] == [False, False]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("gte: 3", "gt: 3, lt: yes"), "number"),
        (("gte: 3", "gte: 3, neq: x"), "x"),
        (("event_count", "absence"), "absence takes no condition"),
        (("event_count", "value_percentile"), "field"),
        (("event_count", "value_sum"), "field"),
        (("event_count", "value_count"), "field"),
        (("[good]", "[nobody]"), "nobody"),
        (("[good]", "[]"), "needs rules"),
        (("[good]", "[6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0002]"), "cannot be made of itself"),
        (("5m", "5 minutes"), "5 minutes"),
        (("timespan: 5m", "x: 5m"), "timespan"),
        (("gte: 3", "gte: x"), "x"),
        (("type: event_count", "type: nonsense"), "nonsense"),
    ],
)
def test_a_bad_correlation_leaves_its_base_rule_loaded(change: tuple[str, str], reason: str) -> None:
    ruleset = loads(GOOD + "---" + CORRELATION.replace(*change))
    assert [rule.name for rule in ruleset.rules] == ["good"]
    assert reason in " ".join(error.reason for error in ruleset.errors)
    assert all((error.line or 0) > 20 for error in ruleset.errors)


def test_rules_are_found_by_id_name_and_title() -> None:
    ruleset = loads(GOOD)
    assert ruleset.get("good") is ruleset.get("A good rule") is ruleset.get(ruleset.rules[0].id) is ruleset.rules[0]
    assert ruleset.get("other") is None


CHAIN = """
title: Many
name: many
correlation: {type: event_count, rules: [good], group-by: [x], timespan: 5m, condition: {gte: 3}}
---
title: Again
name: again
correlation: {type: event_count, rules: [many], group-by: [x], timespan: 5m, condition: {gte: 3}}
"""


def test_a_correlation_of_a_correlation_makes_it_silent() -> None:
    ruleset = loads(GOOD + "---" + CHAIN)
    assert not ruleset.errors
    assert {rule.name: rule.silent for rule in ruleset.rules} == {"good": True, "many": True, "again": False}
    told = loads(GOOD + "---" + CHAIN.replace("rules: [many]", "generate: true, rules: [many]"))
    assert {rule.name: rule.silent for rule in told.rules} == {"good": True, "many": False, "again": False}


def test_correlations_in_a_circle_are_refused_with_all_that_is_made_of_them() -> None:
    circle = CHAIN.replace("rules: [good]", "rules: [again]")
    ruleset = loads(
        GOOD
        + "---"
        + circle
        + "---"
        + CHAIN.replace("many", "third").replace("again", "fourth").replace("good", "again")
    )
    assert [rule.name for rule in ruleset.rules] == ["good"]
    reasons = {error.line: error.reason for error in ruleset.errors}
    assert sorted(reasons.values()) == [
        "a correlation cannot be made of itself: again -> many -> again",
        "a correlation cannot be made of itself: many -> again -> many",
        "it is made of again, which is made of itself",
        "it is made of again, which is made of itself",
    ]


def test_what_is_made_of_a_refused_correlation_is_refused_and_says_so() -> None:
    ruleset = loads(GOOD + "---" + CHAIN.replace("[good]", "[nobody]"))
    assert [rule.name for rule in ruleset.rules] == ["good"]
    assert [error.reason for error in ruleset.errors] == [
        "no rule that works is called 'nobody'",
        "it is made of many, which is refused",
    ]


def test_a_chain_too_deep_is_refused_without_going_down() -> None:
    links = [
        CHAIN.split("---")[0].replace("many", f"c{i}").replace("good", f"c{i - 1}" if i else "good")
        for i in range(1500)  # more than Python goes down
    ]
    ruleset = loads(GOOD + "---" + "---".join(links))
    assert len(ruleset.rules) == 21
    assert "a chain of more than 20 correlations" in {error.reason for error in ruleset.errors}


def test_a_correlation_beside_a_circle_is_refused_and_the_others_run_on() -> None:
    def link(name: str, bases: str) -> str:
        return (
            f"title: {name}\nname: {name}\n"
            f"correlation: {{type: event_count, rules: [{bases}], group-by: [x], timespan: 5m, condition: {{gte: 3}}}}\n"
        )

    texts = [GOOD, link("w", "good"), link("y", "y2"), link("y2", "y"), link("beside", "w, y")]
    ruleset = loads("---\n".join(texts))
    assert [rule.name for rule in ruleset.rules] == ["good", "w"]
    assert len(ruleset.errors) == 3
    assert all(error.line for error in ruleset.errors)


def test_many_ways_to_the_same_rules_cost_no_more_than_the_rules() -> None:
    texts, below = [GOOD], ["good"]
    for level in range(18):
        names = [f"l{level}x{i}" for i in range(3)]
        texts += [
            f"title: t\nname: {name}\n"
            f"correlation: {{type: event_count, rules: [{', '.join(below)}], group-by: [x], timespan: 5m, condition: {{gte: 3}}}}\n"
            for name in names
        ]
        below = names
    ruleset = loads("---\n".join(texts))
    assert len(ruleset.rules) == 1 + 18 * 3
    by_id = {rule.id: rule for rule in ruleset.rules}
    assert logsources(ruleset.rules[-1], by_id) == (by_id[ruleset.rules[0].id].logsource,)
    assert Engine(ruleset, UTC).broken == {}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("type: absence, rules: [good]", "absence needs two rules"),
        ("type: temporal_ordered, rules: [good, good]", "cannot name a rule twice"),
        ("type: temporal, rules: [good], condition: good and not good", "contradicts itself"),
        ("type: temporal, rules: [good], condition: good and", "parse"),
        ("type: value_percentile, rules: [good], condition: {gte: 3, field: x}", "`percentile` from 0 to 100"),
        (
            "type: value_percentile, rules: [good], condition: {gte: 3, field: x, percentile: 101}",
            "`percentile` from 0 to 100",
        ),
        ("type: value_percentile, rules: [good], condition: {gte: 3, field: x, percentile: 99.9}", "not 99.9"),
        ("type: value_percentile, rules: [good], condition: {gte: 3, field: x, percentile: yes}", "a whole number"),
        ("type: temporal, condition: not good", "can never hold"),
        ("type: temporal_ordered, rules: [good], condition: not good", "can never hold"),
        ("type: value_sum, rules: [good], condition: {gte: 3, field: [x, y]}", "takes one field"),
        ("type: value_count, rules: [good], condition: {gte: 3, field: [x, {y: z}]}", "name of a field"),
        ("type: event_count, rules: [good], condition: {gte: .inf}", "no valid"),
    ],
)
def test_what_a_correlation_cannot_ask(body: str, reason: str) -> None:
    ruleset = loads(GOOD + f"---\ntitle: Odd\ncorrelation: {{{body}, group-by: [x], timespan: 5m}}\n")
    assert [rule.name for rule in ruleset.rules] == ["good"]
    assert reason in " ".join(error.reason for error in ruleset.errors)
    assert all(error.line and error.column for error in ruleset.errors)


@pytest.mark.parametrize("percentile", ["99", "99.0", "'99'"])
def test_a_whole_percentile_is_written_as_one_likes(percentile: str) -> None:
    condition = f"{{gte: 3, field: x, percentile: {percentile}}}"
    text = f"title: Odd\ncorrelation: {{type: value_percentile, rules: [good], timespan: 5m, condition: {condition}}}"
    ruleset = loads(GOOD + "---\n" + text)
    assert ruleset.errors == ()
    assert ruleset.rules[-1].correlation.percentile == 99


def test_what_a_condition_cannot_ask_is_told_where_it_stands() -> None:
    text = "title: Odd\ncorrelation:\n  type: temporal\n  timespan: 5m\n  condition: not good\n"
    [error] = loads(GOOD + "---\n" + text).errors
    assert error.line == len(GOOD.splitlines()) + 6


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ("group-by: [x], timespan: 5m, condition: {gte: 100000000000000000000}", "takes numbers up to"),
        ("group-by: [x], timespan: 400000000y, condition: {gte: 3}", "a timespan of more than"),
        (f"group-by: [{', '.join(f'f{i}' for i in range(260))}], timespan: 5m, condition: {{gte: 3}}", "260 fields"),
    ],
)
def test_what_no_store_could_hold_is_refused(asked: str, reason: str) -> None:
    ruleset = loads(GOOD + f"---\ntitle: Odd\ncorrelation: {{type: event_count, rules: [good], {asked}}}\n")
    [error] = ruleset.errors
    assert reason in error.reason
    assert error.line


def test_a_range_and_a_condition_with_names() -> None:
    text = "---\ntitle: Range\ncorrelation: {type: event_count, rules: [good], group-by: [x], timespan: 5m, condition: {gt: 1, lte: 2.5}}\n"
    [_, rule] = loads(GOOD + text).rules
    assert rule.correlation is not None
    assert sorted(rule.correlation.asks) == [("gt", 1), ("lte", 2.5)]
    assert not rule.correlation.at_once
    assert rule.correlation.at_least == 2
