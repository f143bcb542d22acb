"""The page for rule authors: its examples are rules that load, and its table of log sources is what the engine knows."""

from __future__ import annotations

import re
from pathlib import Path

from rules.load.folders import load, loads
from rules.logsource import DATASETS

PAGE = (Path(__file__).parents[2] / "docs/rules.md").read_text()
EXAMPLES = [block for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if block.startswith("title:")]


def test_the_examples_load():
    assert len(EXAMPLES) == 3
    for example in EXAMPLES:
        named = (
            "title: t\nname: ssh_root_login\nlogsource: {product: linux}\ndetection: {s: {f: 1}, condition: s}\n---\n"
        )
        other = named.replace("name: ssh_root_login", "id: 2f0d8f0e-5d55-4a43-9f5f-0c9d5f2b7a11")
        ruleset = loads(named + other + example if "\nfilter:" in example else example)
        assert not ruleset.errors
        assert [rule for rule in ruleset.rules if not rule.silent]


def test_every_known_log_source_is_in_the_table():
    for origin in DATASETS.values():
        names = {name for name in (origin.product, origin.category) if name}
        assert any(f": {name}`" in PAGE or f"`{name}`" in PAGE for name in names), names
        assert all(f"service: {service}" in PAGE for service in origin.services)


def test_the_separator_on_the_page_is_the_one_in_the_rules():
    separator = re.search(r"`(\(\?:\[\\s.*?)`", PAGE)[1]
    texts = [rule.text for rule in load().rules if separator in rule.text]
    assert len(texts) >= 5
