"""Documentation cannot rot: what exists is documented, and tables are what the code says."""

from __future__ import annotations

import re
from importlib.metadata import packages_distributions
from pathlib import Path

import typer.main
from prometheus_client import REGISTRY

from deploy import metrics_table
from soc import telemetry
from soc.cli import build
from soc.settings import as_markdown

ROOT = Path(__file__).parent.parent


def commands(group=None, prefix="soc"):
    group = group or typer.main.get_command(build())
    for name, command in sorted(group.commands.items()):
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def test_the_settings_page_is_what_the_code_says():
    assert as_markdown() in (ROOT / "docs/settings.md").read_text(), "run `make docs`"


def test_every_command_has_help_and_is_documented():
    page = (ROOT / "docs/commands.md").read_text()
    found = dict(commands())
    assert len(found) > 20
    for name, command in found.items():
        assert command.help, name
        assert f"`{name}`" in page, name


def test_every_make_target_has_a_line_in_make_help():
    text = (ROOT / "Makefile").read_text()
    declared = set(re.findall(r"^([a-z-]+):", text, re.M))
    assert {t for t in declared if not re.search(rf"^{t}:.*##", text, re.M)} == set()


def test_metric_names_follow_the_convention():
    """promtool asks the rest of a real scrape."""
    metrics = [m for m in vars(telemetry).values() if hasattr(m, "_documentation")]
    assert metrics
    for metric in metrics:
        assert re.fullmatch(r"soc(_[a-z]+)+", metric._name), metric._name
        assert not metric._name.endswith(("_count", "_total", "_sum", "_bucket"))
        assert metric._documentation.endswith(".")


def test_the_metrics_page_is_what_the_code_says():
    assert (ROOT / metrics_table.PAGE).read_text().endswith("\n\n" + metrics_table.table()), "run `make docs`"


def test_no_metric_says_beside_each_series_when_it_was_made():
    assert telemetry
    families = [family for family in REGISTRY.collect() if family.name.startswith("soc_")]
    assert families
    assert [one.name for family in families for one in family.samples if one.name.endswith("_created")] == []


def test_no_page_names_a_metric_that_is_not_there():
    known = set(re.findall(r"^\| `(soc_\w+)` \|", metrics_table.table(), re.M))
    parts = "|".join(sorted({name.split("_")[1] for name in known}))
    for page in (ROOT / "docs").glob("*.md"):
        named = set(re.findall(rf"`(soc_(?:{parts})_\w*[a-z])`", page.read_text()))
        assert {re.sub("_(bucket|sum|count)$", "", name) for name in named} <= known, page.name


def test_each_package_has_one_owner():
    owners = packages_distributions()
    for package in ("soc", "collector", "rules", "detector", "api"):
        assert owners[package] == ["govsoc"]


def test_links_in_the_documentation_lead_somewhere():
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_commands_that_the_pages_show_with_options_have_those_that_are_needed():
    known = dict(commands())
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for shown in re.findall(r"(?:`|^)(soc [a-z].*? -.*?)(?:`|$)", page.read_text(), re.M):
            words = shown.split("|")[0].split()
            name = next((name for name in (" ".join(words[:3]), " ".join(words[:2])) if name in known), "")
            options = [param for param in known[name].params if param.param_type_name == "option"] if name else []
            missing = [one.opts for one in options if one.required and not {*one.opts} & {*words}]
            assert not missing, f"{page.name}: {shown}"
