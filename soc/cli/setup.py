"""`soc setup`: make ready what govsoc works with."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from soc.cli.context import ConfigOption, JsonOption, console, print_json
from soc.errors import ConfigError
from soc.service.stores import need_library
from soc.settings import load

PASSWORD_VARIABLE = "SOC_SETUP_PASSWORD"  # noqa: S105 - its name

app = typer.Typer(help="Make ready what govsoc works with.", no_args_is_help=True)

OrgOption = Annotated[
    list[str] | None,
    typer.Option("--org", help="Agency code of a province or ministry to make a reader for.", show_default=False),
]
UserOption = Annotated[
    str,
    typer.Option("--user", help=f"Administrator of the cluster; the password is asked for, or in {PASSWORD_VARIABLE}."),
]
DaysOption = Annotated[int, typer.Option("--key-days", min=0, help="Days until a new key expires; 0: never.")]
RenewOption = Annotated[bool, typer.Option("--renew-keys", help="Make new keys; the old ones go on working.")]
RevokeOption = Annotated[bool, typer.Option("--revoke-old-keys", help="Revoke all keys but the newest of each name.")]


@app.callback()
def _group() -> None:
    """Keeps a group of one command a group."""


@app.command()
def elasticsearch(
    org: OrgOption = None,
    user: UserOption = "",
    key_days: DaysOption = 365,
    renew_keys: RenewOption = False,
    revoke_old_keys: RevokeOption = False,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Install templates, roles and API keys in the cluster of `store.url`. A second time changes nothing; keys are shown once."""
    need_library()
    from soc.service.upkeep import administrator, set_up

    settings = load(config)
    if not settings.store.url:
        raise ConfigError(
            "store.url is empty: set it to the address of the cluster, such as https://elastic.example:9200"
        )
    client = administrator(settings, user, _password(user))
    done = set_up(client, settings, org or [], days=key_days or None, renew=renew_keys, revoke=revoke_old_keys)
    if json:
        keys = {key.name: key.encoded for key in done.keys}
        print_json({"secured": done.secured, "changed": done.changed, "keys": keys})
        return
    out = console()
    for line in done.changed:
        out.print(f"+ {line}")
    if not done.changed:
        out.print("nothing to do: everything is there")
    if not done.secured:
        out.print("! security is off in this cluster: whoever reaches it may read and delete everything")
    if done.keys:
        out.print("\nAPI keys, shown only now; the processes take the writer's in SOC_STORE__API_KEY:")
    for key in done.keys:
        sys.stdout.write(f"{key.name}\t{key.encoded}\n")


def _password(user: str) -> str:
    if not user:
        return ""
    return os.environ.get(PASSWORD_VARIABLE) or str(typer.prompt(f"Password of {user}", hide_input=True, err=True))
