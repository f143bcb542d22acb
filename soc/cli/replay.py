"""`soc replay`: files through the real pipeline at full speed, with event time from the logs."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from soc.cli.context import ConfigOption, DataDirOption, JsonOption, print_json
from soc.pipeline import Pipeline
from soc.replay import Replay
from soc.service.process import configure_logging
from soc.service.replay import open_replay
from soc.settings import load


def replay(
    files: Annotated[
        list[Path],
        typer.Argument(help="Log files, plain or .gz; several are merged by time.", exists=True, dir_okay=False),
    ],
    source_type: Annotated[str, typer.Option(help="What the lines are: nginx.access, linux.auth, otp.gateway ...")],
    org: Annotated[str, typer.Option(help="Agency code of the organisation that they belong to.")] = "replay",
    source: Annotated[
        str, typer.Option(help="Name of the source; the same name finds the same events again.", show_default=False)
    ] = "",
    zone: Annotated[str, typer.Option(help="Zone of times that name none.")] = "Asia/Ho_Chi_Minh",
    json: JsonOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Read log files as if they came in now: parse, mask, store, detect. Doing it again adds nothing. Ctrl-C is safe."""
    configure_logging()
    settings = load(config, data_dir)
    began = time.monotonic()
    sizes = None if any(file.suffix == ".gz" for file in files) else sum(file.stat().st_size for file in files)
    with open_replay(settings, source or f"replay-{source_type}-{org}", source_type, org, zone) as (
        replaying,
        pipeline,
    ):
        try:
            _run(replaying, files, sizes)
        finally:
            summary = _summary(replaying, pipeline, time.monotonic() - began)
            if json:
                print_json(summary)
            else:
                _print(summary, {doc.id: doc.title for doc in pipeline.docs.values()})
    for problem in replaying.problems:
        sys.stderr.write(f"soc: {problem}\n")
    if unparsed := replaying.progress.unparsed:
        sys.stderr.write(
            f"soc: {unparsed} records could not be parsed; they are kept as dead letters: search event.kind:pipeline_error\n"
        )
    if unparsed or replaying.problems:
        raise typer.Exit(3)


def _run(replaying: Replay, files: list[Path], size: int | None) -> None:
    bar = Progress(
        TextColumn("replaying"),
        BarColumn(),
        TextColumn("{task.fields[records]:,} records"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    with bar:
        task = bar.add_task("", total=size, records=0)
        for progress in replaying.run(files):
            bar.update(task, completed=progress.bytes_read, records=progress.records)


def _summary(replaying: Replay, pipeline: Pipeline, seconds: float) -> dict[str, object]:
    """`records` = `events` (newly stored) + `duplicates` + `unparsed` (dead letters, new or known)."""
    done, tally = replaying.progress, pipeline.tally
    return {
        "records": done.records,
        "events": done.events,
        "duplicates": done.records - done.events - done.unparsed,
        "unparsed": done.unparsed,
        "findings": tally.findings,
        "alerts": tally.alerts.total(),
        "alerts_by_rule": dict(tally.alerts.most_common()),
        "seconds": round(seconds, 3),
        "events_per_s": round(done.records / seconds, 1),
    }


def _print(summary: dict[str, object], titles: dict[str, str]) -> None:
    out = Console(highlight=False)
    for name, value in summary.items():
        if name != "alerts_by_rule":
            out.print(f"{name:14} {value}")
    by_rule = summary["alerts_by_rule"]
    assert isinstance(by_rule, dict)
    for rule_id, count in by_rule.items():
        out.print(f"  {count:6} {titles.get(rule_id, rule_id)}", markup=False)
