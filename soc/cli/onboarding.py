"""`soc sources preview|check|token|config`: from the first line that is looked at to the first that arrives."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import IO, Annotated
from zoneinfo import ZoneInfo

import typer
from rich.table import Table

from collector import snippets
from collector.diagnose import in_words
from collector.preview import MAX_BYTES, NOBODY, Preview, Remark, preview
from rules.desk.trial import Outcome, Trial, Tuned
from rules.desk.tuning import Tuning
from soc.cli.context import (
    ConfigOption,
    DataDirOption,
    JsonOption,
    caller,
    console,
    lists_of,
    print_json,
    shown,
    stores_of,
)
from soc.errors import ConfigError
from soc.model.org import EVERYTHING
from soc.service.process import now_ms
from soc.settings import load

_REMARKS = {
    Remark.NOTHING: "there is no line of text in it",
    Remark.UTF16: "it is UTF-16: let the program write UTF-8, as no log is read as UTF-16",
    Remark.BINARY: "{} lines are no text (binary): not shown",
    Remark.EMPTY: "{} empty lines are left out",
    Remark.CUT: "{} lines are longer than 64 KiB: looked at up to there",
    Remark.MORE: "{} more lines were not looked at",
    Remark.MIXED: "{} lines are of another format that is known: one source, one format (type syslog tells what is inside)",
    Remark.NO_ZONE: "{} lines have a time without a zone: it is read in the source's zone (--zone)",
    Remark.AHEAD: "{} lines have a time in the future: is the clock right, and the zone?",
    Remark.OLD: "the newest line is {} days old",
}


def register(app: typer.Typer) -> None:
    """Add the commands to `soc sources`."""
    for name, command in (("preview", preview_), ("check", check), ("token", token), ("config", config_)):
        app.command(name)(command)


def preview_(
    file: Annotated[str, typer.Argument(help="A file of log lines; - is standard input.")] = "-",
    type_: Annotated[str | None, typer.Option("--type", help="Take them for this type.", show_default=False)] = None,
    zone: Annotated[str, typer.Option(help="Zone of times that name none.")] = "Asia/Ho_Chi_Minh",
    org: Annotated[
        str,
        typer.Option(help="Say what becomes of it by what is tuned there for this agency code.", show_default=False),
    ] = "",
    json: JsonOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """What would become of these lines: their format, the masked events, and the rules that would match. Nothing is kept.

    The data directory is asked for the tuning, with --org only. Exit status: 0 all parsed, 2 bad usage, 3 some lines could not be parsed.
    """
    from soc.service.ruleset import load_rules  # compiles rules: only for this command

    try:
        with sys.stdin.buffer if file == "-" else Path(file).open("rb") as stream:
            data, more = _head(stream)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from None
    found = preview(data, now_ms(), source_type=type_, zone=zone, org=org or NOBODY, more=more)
    settings = load(config, data_dir)
    tuning = _tuning_of(config, data_dir) if org else Tuning()
    outcome = Trial(load_rules(settings), lists_of(config, data_dir) if org else None).over(
        found.events, tuning, now_ms()
    )
    if json:
        print_json(_as_json(found, outcome))
    else:
        _print(found, outcome)
    if found.unparsed or found.remarks.keys() & {Remark.NOTHING, Remark.BINARY}:
        raise typer.Exit(3)


def _tuning_of(config: Path | None, data_dir: Path | None) -> Tuning:
    from soc.service.tuning import read_tuning

    settings, stores = stores_of(config, data_dir)
    return read_tuning(stores.policies, ZoneInfo(settings.detect.zone))


def _fate(tuned: Tuned) -> str:
    return f"{tuned.fate} {tuned.exception}" if tuned.exception else tuned.fate


def _head(stream: IO[bytes]) -> tuple[bytes, int]:
    """What is looked at, and how many lines follow."""
    data = stream.read(MAX_BYTES)
    more = 0
    while piece := stream.read(MAX_BYTES):
        more += piece.count(b"\n")
    return data, more


def _as_json(found: Preview, outcome: Outcome) -> dict[str, object]:
    return {
        "source_type": found.source_type,
        "proposals": [asdict(proposal) for proposal in found.proposals],
        "parsed": found.parsed,
        "unparsed": found.unparsed,
        "masked": found.masked,
        "remarks": {remark.value: count for remark, count in found.remarks.items()},
        "lines": [asdict(line) for line in found.lines],
        "matches": [
            {
                "line": m.line, "rule_id": m.rule.id, "title": m.rule.title, "level": m.tuned.level,
                "fate": m.tuned.fate, "exception": m.tuned.exception, "matched": m.matched,
            }
            for m in outcome.matches
        ],
        "counted": [
            {
                "rule_id": c.rule.id, "title": c.rule.title, "level": c.tuned.level,
                "fate": c.tuned.fate, "exception": c.tuned.exception, "lines": c.lines,
                "at_least": c.at_least, "timespan_s": c.timespan_ms // 1000, "reached": c.reached,
            }
            for c in outcome.counted
        ],
    }  # fmt: skip


def _print(found: Preview, outcome: Outcome) -> None:
    out = console()
    for proposal in found.proposals:
        mark = "->" if proposal.source_type == found.source_type else "  "
        out.print(f"{mark} {proposal.source_type}: {proposal.confidence:.0%} of the lines")
    out.print(f"taken for {found.source_type}: {found.parsed} lines parsed, {found.unparsed} not")
    for remark, count in found.remarks.items():
        out.print(f"note: {_REMARKS[remark].format(count)}")
    if found.masked:
        out.print("masked: " + ", ".join(f"{kind} in {count} lines" for kind, count in sorted(found.masked.items())))
    for line in found.lines:
        out.print(f"\n{line.number}: {shown(line.text)}")
        if line.problem is not None:
            out.print(f"   not parsed: {shown(line.problem)}")
            continue
        table = Table.grid(padding=(0, 2))
        for name, value in sorted(line.fields.items()):
            table.add_row("  ", name, shown(value))
        out.print(table)
    out.print("\nrules that would match:" if outcome.matches else "\nno rule would match")
    for match in outcome.matches:
        out.print(
            f"  line {match.line}: [{match.tuned.level}, {_fate(match.tuned)}] {match.rule.title} ({', '.join(match.matched)})"
        )
    for one in outcome.counted:
        reached = (
            "these are enough"
            if one.reached
            else f"it asks for {one.rule.correlation.asked}"
            if one.rule.correlation
            else ""
        )
        rule = f"[{one.tuned.level}, {_fate(one.tuned)}] {one.rule.title or one.rule.id}"
        out.print(f"  {len(one.lines)} lines would count towards: {rule}; {reached}")


def check(
    name: Annotated[str, typer.Argument(help="The source.")],
    json: JsonOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Whether a source works; if not, what is wrong and what to do. Exit status: 0 it works, 3 it does not (yet)."""
    from api.onboarding import check_source

    _, stores = stores_of(config, data_dir)
    found = check_source(stores, stores.sources.get(name, EVERYTHING), EVERYTHING, now_ms())
    if json:
        print_json(asdict(found) | {"works": found.works, "text": in_words(found)})
    else:
        console().print(f"{found.state}: {shown(in_words(found))}")
    if not found.works:
        raise typer.Exit(3)


def token(
    name: Annotated[str, typer.Argument(help="The source.")],
    renew: Annotated[bool, typer.Option("--renew", help="Make a new one; the old one stops working.")] = False,
    revoke: Annotated[bool, typer.Option("--revoke", help="The token stops working, and there is no other.")] = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Renew or revoke the token of a source that is pushed."""
    from api.onboarding import renew_token, revoke_token

    if renew == revoke:
        raise ConfigError("say either --renew or --revoke: a token is shown once, when it is made")
    _, stores = stores_of(config, data_dir)
    source = stores.sources.get(name, EVERYTHING)
    if revoke:
        revoke_token(stores, source, by=caller())
        console().print(f"the token of {name} is revoked; `soc sources token {name} --renew` makes another")
        return
    console().print(f"token (shown once): {renew_token(stores, source, by=caller())}")


def config_(
    name: Annotated[str, typer.Argument(help="The source.")],
    for_: Annotated[
        str | None,
        typer.Option(
            "--for", help="collector, rsyslog, nginx, curl or filebeat; else the first that fits.", show_default=False
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="The collector's address as the sender sees it.")] = snippets.NO_HOST,
    path: Annotated[str | None, typer.Option(help="The log file on the sender.", show_default=False)] = None,
    token_: Annotated[str, typer.Option("--token", help="The source's token, to stand in it.")] = snippets.NO_TOKEN,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Ready-to-paste configuration of what sends: written to standard output and nowhere else."""
    settings, stores = stores_of(config, data_dir)
    source = stores.sources.get(name, EVERYTHING)
    place = snippets.Place(host, settings.collect.syslog_port, settings.collect.http_port)
    sys.stdout.write(snippets.snippet(source, for_ or snippets.ways(source)[0], place, token=token_, path=path))
