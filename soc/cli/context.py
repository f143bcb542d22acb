"""What the commands share: settings from the options, stores, who is calling, and how a thing is printed."""

from __future__ import annotations

import getpass
import sys
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import orjson
import typer
from rich.console import Console

from soc.errors import ConfigError
from soc.settings import Settings, load
from soc.store.base import Stores

if TYPE_CHECKING:
    from rules.lists.known import Lists

ConfigOption = Annotated[Path | None, typer.Option("--config", help="TOML file of settings.", show_default=False)]
DataDirOption = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder of everything that govsoc writes.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]


def stores_of(config: Path | None, data_dir: Path | None) -> tuple[Settings, Stores]:
    """Opens the stores that the options name; reading never makes a data directory."""
    from soc.service.stores import open_stores, prepare  # not needed by the commands that are filters

    settings = load(config, data_dir)
    prepare(settings)
    return settings, open_stores(settings)


def lists_of(config: Path | None, data_dir: Path | None) -> Lists:
    """The lists of indicators as they are now."""
    from soc.service.lists import read_lists
    from soc.service.process import now_ms

    settings, stores = stores_of(config, data_dir)
    return read_lists(stores.policies, settings.data_dir, now_ms)


def caller() -> str:
    """Who acts on the command line, for histories and audit."""
    return f"cli:{getpass.getuser()}"


def local_time(ms: int | None, zone: str = "Asia/Ho_Chi_Minh") -> str:
    if ms is None:
        return "-"
    return datetime.fromtimestamp(ms / 1000, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S")


def time_of(text: str, zone: tzinfo) -> int:
    """What somebody wrote, in ms; without an offset it is in `zone`. Raises `ConfigError`."""
    try:
        at = datetime.fromisoformat(text)
        return int((at if at.tzinfo else at.replace(tzinfo=zone)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise ConfigError(f"a time is written as 2026-03-02 or 2026-03-02T08:30, not {text[:40]!r}") from None


def print_json(value: object) -> None:
    sys.stdout.write(orjson.dumps(value).decode() + "\n")


def console() -> Console:
    """Tables as wide as the terminal; in a pipe as wide as they are. Markup is off: what is shown comes from logs."""
    return Console(
        highlight=False, markup=False, emoji=False, soft_wrap=True, width=None if sys.stdout.isatty() else 300
    )


def shown(text: object) -> str:
    """Text from a log made safe for a terminal: control characters become visible."""
    return str(text).translate(_CONTROLS)


_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
