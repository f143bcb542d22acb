"""The page of one source: it turns green, says how to send and when its silence is an alarm, and switches it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Path, Request, Response
from fastapi.responses import RedirectResponse

from api.auth import Admin, Viewer
from api.errors import Refused, of_soc
from api.onboarding import check_source, renew_token, revoke_token, switch_source
from api.pasted import refusing
from api.place import place_for
from api.standing import expect, expected_history, expected_version, standing_of
from api.state import Here, State
from collector.snippets import NO_HOST, NO_TOKEN, snippet, ways
from soc.errors import Conflict, SocError
from soc.model.account import Account, Role
from soc.model.calendar import day_of
from soc.model.silence import LATEST_EXEMPT, LONGEST_LIMIT_MINUTES, Schedule, Standing
from soc.model.source import Source, Transport

router = APIRouter(prefix="/sources")
_SourceId = Annotated[str, Path(max_length=200)]


class Wrong(StrEnum):
    """What is wrong with a form, in the template's words."""

    LIMIT = "limit"
    DAY = "day"
    PAST = "past"
    REASON = "reason"
    CHANGED = "changed"  # by somebody else, since the form was shown


@dataclass(frozen=True, slots=True)
class Silence:
    """The form of what is expected, as it was filled in."""

    schedule: Schedule
    limit: str
    exempt_until: str
    reason: str

    @classmethod
    def of(cls, standing: Standing, now: int) -> Silence:
        """What holds; an exemption that is over is no more to be seen."""
        known = standing.expectation
        if now < known.exempt_end():
            return cls(known.schedule, str(known.limit_minutes), str(known.exempt_until), known.reason)
        return cls(known.schedule, str(known.limit_minutes), "", "")

    def changes(self, now: int) -> dict[str, object] | Wrong:
        limit, until = self.limit.strip(), self.exempt_until.strip()
        if not (limit.isascii() and limit.isdecimal() and 1 <= int(limit) <= LONGEST_LIMIT_MINUTES):
            return Wrong.LIMIT
        changes: dict[str, object] = {"schedule": self.schedule, "limit_minutes": int(limit), "exempt_until": None}
        if not until:
            return changes
        try:
            day = date.fromisoformat(until)
        except ValueError:
            return Wrong.DAY
        if day > LATEST_EXEMPT:
            return Wrong.DAY
        if day < day_of(now):
            return Wrong.PAST
        if not self.reason.strip():
            return Wrong.REASON
        return changes | {"exempt_until": str(day), "reason": self.reason.strip()}


@router.get("/{source_id}")
def source_page(source_id: _SourceId, request: Request, state: Here, account: Viewer) -> Response:
    return show_source(request, state, account, state.stores.sources.get(source_id, account.scope))


@router.get("/{source_id}/check")
def check(source_id: _SourceId, request: Request, state: Here, account: Viewer) -> Response:
    """The part of the page that is asked for again and again."""
    source = state.stores.sources.get(source_id, account.scope)
    return state.pages.html(request, "check.html", **_checked(state, account, source))


@router.post("/{source_id}/token")
def token(
    source_id: _SourceId,
    request: Request,
    state: Here,
    account: Admin,
    action: Annotated[Literal["renew", "revoke"], Form()],
) -> Response:
    source = state.stores.sources.get(source_id, account.scope)
    with refusing():
        if action == "renew":
            fresh = renew_token(state.stores, source, by=account.name)
            return show_source(request, state, account, source, token=fresh)
        revoke_token(state.stores, source, by=account.name)
    return RedirectResponse(f"/sources/{source.id}", 303)


@router.post("/{source_id}/enabled")
def enable(
    source_id: _SourceId, request: Request, state: Here, account: Admin, enabled: Annotated[bool, Form()]
) -> Response:
    source = state.stores.sources.get(source_id, account.scope)
    try:
        with refusing():
            switch_source(state.stores, source, account.scope, on=enabled, by=account.name)
    except (Refused, Conflict) as error:
        return show_source(request, state, account, source, error=error)
    return RedirectResponse(f"/sources/{source.id}", 303)


@router.post("/{source_id}/expectation")
def set_expectation(
    source_id: _SourceId,
    request: Request,
    state: Here,
    account: Admin,
    version: Annotated[int, Form(ge=0, le=2**53)],
    schedule: Annotated[Schedule, Form()],
    limit: Annotated[str, Form(max_length=20)] = "",
    exempt_until: Annotated[str, Form(max_length=20)] = "",
    reason: Annotated[str, Form(max_length=400)] = "",
) -> Response:
    """When its silence is an alarm; what does not fit comes back with the form as it was filled in."""
    source = state.stores.sources.get(source_id, account.scope)
    given, now = Silence(schedule, limit, exempt_until, reason), state.clock()
    changes = given.changes(now)
    if isinstance(changes, Wrong):
        return show_source(request, state, account, source, given=given, wrong=changes, status=422)
    try:
        expect(state.stores.policies, source.id, changes, by=account.name, now=now, version=version)
    except Conflict:
        return show_source(request, state, account, source, given=given, wrong=Wrong.CHANGED, status=409)
    return RedirectResponse(f"/sources/{source.id}#silence", 303)


def show_source(
    request: Request,
    state: State,
    account: Account,
    source: Source,
    *,
    token: str | None = None,
    status: int = 200,
    error: SocError | None = None,
    given: Silence | None = None,
    wrong: Wrong | None = None,
) -> Response:
    """`given`: the silence form as it was filled in, and what is `wrong` with it."""
    place, now = place_for(request, state.place), state.clock()
    with refusing():
        snippets = [(way, snippet(source, way, place, token=token or NO_TOKEN)) for way in ways(source)]
    standing = standing_of(state.stores, source, now)
    return state.pages.html(
        request,
        "source.html",
        of_soc(error).status if error else status,
        may_change=account.role.includes(Role.ADMIN),
        snippets=snippets,
        nameless=place.host == NO_HOST and source.transport is not Transport.FILE,
        token=token,
        error=error,
        standing=standing,
        given=given or Silence.of(standing, now),
        wrong=wrong,
        version=expected_version(state.stores.policies, source.id),
        history=expected_history(state.stores.policies, source.id, account.scope),
        today=day_of(now),
        latest=LATEST_EXEMPT,
        longest=LONGEST_LIMIT_MINUTES,
        **_checked(state, account, source),
    )


def _checked(state: State, account: Account, source: Source) -> dict[str, Any]:
    return {
        "account": account,
        "source": source,
        "found": check_source(state.stores, source, account.scope, state.clock()),
        "health": state.stores.health.health().get(source.id),
    }
