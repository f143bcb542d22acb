"""`soc accounts`: who may sign in, and API keys."""

from __future__ import annotations

import hashlib
import secrets
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from soc.cli.context import ConfigOption, DataDirOption, caller, console, stores_of
from soc.errors import NotFound
from soc.model.account import Account, Role
from soc.model.org import Scope

app = typer.Typer(help="Accounts and API keys.", no_args_is_help=True)


@app.command()
def add(
    name: str,
    role: Annotated[Role, typer.Option(help="viewer reads, analyst triages, admin does everything.")] = Role.ANALYST,
    org: Annotated[
        list[str] | None,
        typer.Option(help="Only this organisation; may be given again. None: all.", show_default=False),
    ] = None,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Add an account, or give it a new role and password. The password is made here and shown once."""
    from api.passwords import hash_password

    _, stores = stores_of(config, data_dir)
    password = secrets.token_urlsafe(12)
    stores.accounts.put(
        Account(name, role, Scope(frozenset(org) if org else None)), hash_password(password), by=caller()
    )
    Console(highlight=False).print(
        f"{name} ({role}) may sign in with the password (shown once): {password}", markup=False
    )


@app.command()
def key(name: str, label: str = "api", config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Make an API key for an account; it is shown once."""
    _, stores = stores_of(config, data_dir)
    if stores.accounts.get(name) is None:
        raise NotFound(f"there is no account {name}: `soc accounts add {name}`")
    token = f"govsoc_{secrets.token_urlsafe(32)}"
    stores.accounts.add_key(name, hashlib.sha256(token.encode()).hexdigest(), label, by=caller())
    Console(highlight=False, soft_wrap=True).print(f"key (shown once): {token}", markup=False)


@app.command("list")
def list_(config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Every account with its role and organisations."""
    _, stores = stores_of(config, data_dir)
    table = Table("account", "role", "organisations", "", box=None, pad_edge=False)
    for account in stores.accounts.list():
        orgs = "all" if account.scope.orgs is None else ", ".join(sorted(account.scope.orgs))
        table.add_row(account.name, account.role, orgs, "disabled" if account.disabled else "")
    console().print(table)
