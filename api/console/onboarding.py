"""Connecting a source: the page that looks at pasted lines, and enrols."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response

from api.auth import Admin, Analyst
from api.console.source import show_source
from api.errors import Refused, of_soc
from api.onboarding import enrol_source
from api.pasted import PastedLines, refusing, try_lines
from api.state import Here, State
from collector.parse.registry import PARSERS
from collector.preview import Preview
from rules.desk.trial import Outcome
from soc.errors import Conflict, NotFound, SocError
from soc.model.account import Account, Role
from soc.model.source import Source, Transport
from soc.model.system import SYSTEMS

router = APIRouter(prefix="/sources")
_ZONE = "Asia/Ho_Chi_Minh"
_Short = Annotated[str, Form(max_length=200)]
_BLANK = {
    "name": "",
    "title": "",
    "system": "",
    "org": "",
    "type": "",
    "transport": "push",
    "senders": "",
    "zone": _ZONE,
}


@router.get("/new")
def new_page(request: Request, state: Here, account: Analyst) -> Response:
    return _new_page(request, state, account, _BLANK)


@router.post("/new/preview")
def preview(request: Request, pasted: PastedLines, state: Here, account: Analyst) -> Response:
    """The same page with what would become of the lines; the lines themselves are not given back."""
    chosen = {name: pasted.fields.get(name, "").strip()[:64] for name in ("type", "zone", "org")}
    chosen["zone"] = chosen["zone"] or _ZONE
    try:
        tried = try_lines(state, pasted.lines, chosen["type"] or None, chosen["zone"], chosen["org"], account.scope)
    except (Refused, NotFound) as error:
        return _new_page(request, state, account, _BLANK | chosen, error=error)
    found_type = tried[0].source_type
    # What writes files has rsyslog beside it; a gateway speaks HTTP.
    found = chosen | {"type": found_type, "transport": "push" if found_type.endswith(".gateway") else "syslog"}
    return _new_page(request, state, account, _BLANK | found, tried=tried)


@router.post("/new")
def add(
    request: Request,
    state: Here,
    account: Admin,
    name: _Short,
    org: _Short,
    type: _Short,  # noqa: A002 - the name in the form
    transport: Annotated[Literal["push", "syslog"], Form()],
    title: _Short = "",
    system: _Short = "",
    senders: Annotated[str, Form(max_length=2000)] = "",
    zone: _Short = _ZONE,
) -> Response:
    """Enrol, and show the token: in this answer and nowhere else."""
    where = tuple(senders.replace(",", " ").split()) if transport == "syslog" else ()
    name, org = name.strip(), org.strip()
    source = Source(
        name, title.strip() or name, org, type, Transport(transport), where, zone.strip(), created_at=state.clock()
    )
    try:
        with refusing():
            token = enrol_source(state.stores, source, account.scope, by=account.name, system=system)
    except (Refused, Conflict, NotFound) as error:
        given = {"name": name, "title": title, "org": org, "type": type, "transport": transport, "system": system}
        return _new_page(request, state, account, given | {"senders": senders, "zone": zone}, error=error)
    return show_source(request, state, account, source, token=token, status=201)


def _new_page(
    request: Request,
    state: State,
    account: Account,
    given: dict[str, str],
    *,
    tried: tuple[Preview, Outcome] | None = None,
    error: SocError | None = None,
) -> Response:
    found, outcome = tried or (None, None)
    matches: dict[int, list[object]] = {}
    for match in outcome.matches if outcome else ():
        matches.setdefault(match.line, []).append(match)
    return state.pages.html(
        request,
        "source_new.html",
        200 if error is None else of_soc(error).status,
        account=account,
        may_add=account.role.includes(Role.ADMIN),
        types=list(PARSERS),
        systems=SYSTEMS,
        orgs=sorted(account.scope.orgs or ()),
        given=given,
        found=found,
        outcome=outcome,
        matches=matches,
        error=error,
    )
