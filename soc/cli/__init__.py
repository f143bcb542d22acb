"""The command line. Each command is a thin shell over what it calls; heavy parts are imported by the commands that need them."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

import typer

from soc.errors import SocError

# Command -> module:name. Modules are imported when the command is called, so that a filter like `soc parse` starts at once.
COMMANDS = {
    "run": "soc.cli.run:run",
    "collect": "soc.cli.run:collect",
    "detect": "soc.cli.run:detect",
    "observe": "soc.cli.run:observe",
    "serve": "soc.cli.run:serve",
    "replay": "soc.cli.replay:replay",
    "parse": "soc.cli.parse:parse",
    "match": "soc.cli.match:match",
    "score": "soc.cli.score:score",
    "entities": "soc.cli.entities:entities",
    "simulate": "soc.cli.simulate:simulate",
    "doctor": "soc.cli.doctor:doctor",
    "backup": "soc.cli.backup:backup",
    "restore": "soc.cli.backup:restore",
    "retention": "soc.cli.retention:retention",
    "audit": "soc.cli.audit:audit",
}
GROUPS = {
    "rules": "soc.cli.rules:app",
    "sources": "soc.cli.sources:app",
    "lists": "soc.cli.lists:app",
    "silence": "soc.cli.silence:app",
    "surge": "soc.cli.surge:app",
    "orgs": "soc.cli.orgs:app",
    "alerts": "soc.cli.alerts:app",
    "detector": "soc.cli.detector:app",
    "accounts": "soc.cli.accounts:app",
    "notify": "soc.cli.notify:app",
    "setup": "soc.cli.setup:app",
    "store": "soc.cli.store:app",
}


def _load(place: str) -> Any:
    module, name = place.split(":")
    return getattr(importlib.import_module(module), name)


def build(wanted: str | None = None) -> typer.Typer:
    """The whole command tree, or only the command `wanted`."""
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="govsoc: security operations monitoring for Vietnamese local government systems.",
    )
    app.callback()(_root)
    for name, place in COMMANDS.items():
        if wanted in (None, name):
            command: Callable[..., None] = _load(place)
            app.command(name)(command)
    for name, place in GROUPS.items():
        if wanted in (None, name):
            app.add_typer(_load(place), name=name)
    return app


def _root() -> None:
    """Keeps a tree of one command a tree."""


def main() -> None:
    """Exit 0: all good; 2: bad usage or configuration; 3: some of the input was bad; 130: interrupted."""
    known = COMMANDS.keys() | GROUPS.keys()
    first = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    try:
        build(first if first in known else None)()
    except SocError as error:
        sys.stderr.write(f"soc: {error}\n")
        sys.exit(2)
    except BrokenPipeError:  # the reader of our pipe has gone: nobody to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except KeyboardInterrupt:
        sys.exit(130)
