"""`soc accounts`: who may sign in, and API keys."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import replace
from typing import Annotated

import typer
from rich.table import Table

from soc.cli.context import ConfigOption, DataDirOption, caller, console, stores_of
from soc.errors import ConfigError, NotFound
from soc.model.account import Account, Role
from soc.model.org import Scope
from soc.store.base import Stores

app = typer.Typer(help="Accounts and API keys.", no_args_is_help=True)


@app.command()
def add(
    name: str,
    role: Annotated[
        Role | None,
        typer.Option(
            help="viewer reads, analyst triages, admin does everything. New accounts: analyst.", show_default=False
        ),
    ] = None,
    org: Annotated[
        list[str] | None, typer.Option(help="Sees only this organisation; may be given again.", show_default=False)
    ] = None,
    all_orgs: Annotated[bool, typer.Option("--all-orgs", help="Sees every organisation.")] = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Add an account, or give one a new password. What is not said stays as it was. The password is made here and shown once."""
    from api.passwords import hash_password

    _, stores = stores_of(config, data_dir)
    known = stores.accounts.get(name)
    if all_orgs or org:
        scope = Scope(None if all_orgs else frozenset(org or ()))
    elif known:
        scope = known.scope
    else:
        raise ConfigError("say what the account may see: --org CODE, or --all-orgs")
    account = Account(name, role or (known.role if known else Role.ANALYST), scope)
    password = secrets.token_urlsafe(12)
    stores.accounts.put(account, hash_password(password), by=caller())
    console().print(f"{name} ({account.role}) may sign in with the password (shown once): {password}")


@app.command()
def disable(name: str, config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Lock an account out at once: sessions, password and API keys. `add` lets it in again."""
    _, stores = stores_of(config, data_dir)
    account = _known(stores, name)
    stores.accounts.put(replace(account, disabled=True), None, by=caller())
    dropped = stores.accounts.drop_keys(name, by=caller())
    console().print(f"{name} is locked out; {dropped} API keys are revoked")


@app.command()
def key(name: str, label: str = "api", config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Make an API key for an account; it is shown once."""
    _, stores = stores_of(config, data_dir)
    _known(stores, name)
    token = f"govsoc_key_{secrets.token_urlsafe(32)}"
    stores.accounts.add_key(name, hashlib.sha256(token.encode()).hexdigest(), label, by=caller())
    console().print(f"key (shown once): {token}")


def _known(stores: Stores, name: str) -> Account:
    if account := stores.accounts.get(name):
        return account
    raise NotFound(f"there is no account {name}: `soc accounts list`")


@app.command("list")
def list_(config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Every account with its role and organisations."""
    _, stores = stores_of(config, data_dir)
    table = Table("account", "role", "organisations", "", box=None, pad_edge=False)
    for account in stores.accounts.list():
        orgs = "all" if account.scope.orgs is None else ", ".join(sorted(account.scope.orgs))
        table.add_row(account.name, account.role, orgs, "disabled" if account.disabled else "")
    console().print(table)
