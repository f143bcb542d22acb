"""`soc backup` and `soc restore`: everything that is not in git."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from soc.cli.context import ConfigOption, DataDirOption, console
from soc.cli.operations_checks import note_backup
from soc.service.backup import Place, back_up
from soc.service.backup import restore as put_back
from soc.settings import load

Repository = Annotated[
    str | None,
    typer.Option(help="Snapshot repository of Elasticsearch; by default `govsoc`.", show_default=False),
]
Location = Annotated[
    str | None,
    typer.Option(
        help="Make the repository: a folder as all Elasticsearch nodes see it, named in their path.repo.",
        show_default=False,
    ),
]


def backup(
    folder: Annotated[
        Path, typer.Argument(help="Where backups are kept; each gets a folder of its own.", file_okay=False)
    ],
    repository: Repository = None,
    location: Location = None,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Copy everything that is not in git, while govsoc runs: keys, accounts, alerts, events, how far everything was read."""
    place = Place(repository or Place().repository, location)
    settings = load(config, data_dir)
    made = back_up(settings, folder, place, _tell, datetime.now(UTC))
    note_backup(settings.data_dir, made)
    console().print(f"the backup is in {made}; it holds keys and personal data: keep it as safe as the data directory")


def restore(
    folder: Annotated[Path, typer.Argument(help="A backup, as `soc backup` named it.", file_okay=False)],
    repository: Repository = None,
    location: Location = None,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Start again from a backup: into an empty data directory and, if it has a snapshot, a cluster without indices of ours."""
    moved = repository is not None or location is not None
    place = Place(repository or Place().repository, location) if moved else None
    settings = load(config, data_dir)
    put_back(settings, folder, place, _tell)
    console().print(f"restored into {settings.data_dir}; start with `soc run`, then look at `soc doctor`")


def _tell(what: str) -> None:
    """Progress, for who watches."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{what[:100]}")
        sys.stderr.flush()
