"""`soc rules`: check, test, list and explain rules; tuning them is in `soc.cli.tuning`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import orjson
import typer

from rules.desk.cases import Outcome, run
from rules.desk.check import documented_fields, faulty, lint
from rules.desk.explain import explain as explain_rule
from rules.desk.explain import lines
from rules.load.folders import CONTENT, is_cases
from soc.cli import packages, tuning
from soc.cli.backtest import backtest
from soc.cli.context import ConfigOption, DataDirOption, JsonOption, lists_of, print_json
from soc.cli.match import PipelineOption, RulesOption
from soc.cli.rerun import rerun
from soc.cli.ruleset import Compiling, load_rules
from soc.cli.stats import stats as show_stats
from soc.errors import ConfigError, RuleError
from soc.model.event import flat
from soc.service.cases import ZONE, case_parser

app = typer.Typer(no_args_is_help=True, help="Detection rules: check them, run their cases, explain them, tune them.")
app.command("stage")(tuning.stage)
app.command("override")(tuning.override)
app.add_typer(tuning.exceptions, name="exceptions")
app.command("import")(packages.import_)
app.add_typer(packages.app, name="packages")
app.command("pipelines")(packages.pipelines)
app.command("compile")(packages.compile_)
app.command("reload")(packages.reload)

app.command("backtest")(backtest)
app.command("rerun")(rerun)

Paths = Annotated[list[Path] | None, typer.Argument(help="Rule files or directories; the shipped rules by default.")]


@app.command("lint")
def lint_rules(
    paths: Paths = None,
    strict: Annotated[bool, typer.Option(help="Warnings fail too.")] = False,
    faults: Annotated[bool, typer.Option("--faults", help="Only what cannot be loaded, no warnings.")] = False,
    pipeline: PipelineOption = None,
) -> None:
    """What is wrong with rules, and what they lack. Exit status 3 when a rule cannot be loaded."""
    compiling = Compiling()
    try:
        ruleset = compiling.load(paths or [CONTENT], pipeline or [])
    except ConfigError as error:
        typer.echo(f"soc rules lint: {error}", err=True)
        raise typer.Exit(2) from None
    table = CONTENT.parent.parent / "docs" / "fields.md"
    known = documented_fields(table.read_text(encoding="utf-8")) if table.is_file() else None
    notes = faulty(ruleset) if faults else lint(ruleset, known)
    for note in notes:
        typer.echo(str(note))
    errors = sum(note.severity == "error" for note in notes)
    unsupported = sum(error.unsupported for error in ruleset.errors)
    told = f"{len(ruleset.rules)} rules, {errors} errors ({unsupported} of them for what is not supported)"
    told += f", {len(notes) - errors} warnings; {compiling.files} files compiled, the others from the cache"
    typer.echo(f"{told}; loaded in {compiling.cpu_s:.1f} s of CPU", err=True)
    if errors or (strict and notes):
        raise typer.Exit(3)


@app.command("test")
def run_cases(
    paths: Paths = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Name the cases that pass, too.")] = False,
) -> None:
    """Run the cases beside the rules. Exit status 3 when one fails."""
    passed = failed = 0
    for file in _rule_files(paths or [CONTENT]):
        try:
            outcomes, errors = run(file, case_parser(), ZoneInfo(ZONE))
        except (OSError, UnicodeDecodeError) as error:
            outcomes, errors = [], [RuleError(f"cannot be read: {error}", file)]
        for fault in errors:
            typer.echo(f"FAIL {fault}")
        for outcome in outcomes:
            _tell(outcome, verbose)
        failed += len(errors) + sum(outcome.problem is not None for outcome in outcomes)
        passed += sum(outcome.problem is None for outcome in outcomes)
    typer.echo(f"{passed} cases passed, {failed} failed", err=True)
    if failed:
        raise typer.Exit(3)


@app.command("list")
def list_rules(
    rules: RulesOption = None,
    pipeline: PipelineOption = None,
    as_json: JsonOption = False,
    stats: Annotated[bool, typer.Option("--stats", help="What the rules that run saw and found in 30 days.")] = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """The rules that alert: level, title, tags, file. Faults go to standard error."""
    if stats:
        show_stats(config, data_dir, as_json)
        return
    ruleset = load_rules(rules or [CONTENT], pipeline or [])
    for rule in ruleset.rules:
        if rule.silent:
            continue
        if as_json:
            shown = {"id": rule.id, "title": rule.title, "title_vi": rule.title_vi, "level": rule.level}
            print_json({**shown, "tags": rule.tags, "path": rule.path, "hash": rule.hash})
        else:
            typer.echo(f"{rule.level:13} {rule.title}  [{' '.join(rule.tags)}]  {rule.path}:{rule.line}")
    for error in ruleset.errors:
        typer.echo(str(error), err=True)
    if ruleset.errors:
        raise typer.Exit(3)


@app.command("explain")
def explain_event(
    rule: Annotated[str, typer.Argument(help="Id, name or title of the rule.")],
    event: Annotated[str, typer.Argument(help="File with one JSON event, nested or flat; - is standard input.")],
    rules: RulesOption = None,
    pipeline: PipelineOption = None,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Say for each part of a rule's condition what matched in the event, or why it did not. Lists are asked with --config or --data-dir."""
    try:
        ruleset = load_rules(rules or [CONTENT], pipeline or [])
        wanted = ruleset.get(rule)
        if wanted is None:
            raise ConfigError(f"no rule (or several) with the id, name or title {rule!r}")
        document = orjson.loads(sys.stdin.buffer.read() if event == "-" else Path(event).read_bytes())
        if not isinstance(document, dict):
            raise ConfigError(f"{event}: not a JSON object")
    except (ConfigError, OSError, ValueError) as error:
        typer.echo(f"soc rules explain: {error}", err=True)
        raise typer.Exit(2) from None
    lists = lists_of(config, data_dir) if config or data_dir else None
    for line in lines(explain_rule(wanted, flat(document), ruleset, lists)):
        typer.echo(line)


def _rule_files(paths: list[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        found += sorted(path.rglob("*.yml")) if path.is_dir() else [path]
    return [path for path in found if not is_cases(path)]


def _tell(outcome: Outcome, verbose: bool) -> None:
    case = outcome.case
    if outcome.problem is not None:
        typer.echo(f"FAIL {case.path}:{case.line}: {case.name}: {outcome.problem}")
    elif verbose:
        typer.echo(f"ok   {case.path}:{case.line}: {case.name}")
