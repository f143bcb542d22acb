"""Finding what the logs say of one person: the number becomes the tokens that stand for it in the lines of each organisation.

Who looked is written down before the answer is given; the number itself is kept nowhere, and never becomes part of an address.
"""

from __future__ import annotations

from collections.abc import Sequence

from api.errors import Refused
from api.state import State
from collector.recognise import recognise
from soc.model.account import Account
from soc.store.base import AuditEntry

MOST_ORGS = 100  # a search expression has 200 clauses at most
LONGEST = 40
_KINDS = {"phone": "a phone number", "cccd": "a citizen id", "cmnd": "a citizen id"}


def expression_for(state: State, account: Account, number: str, org: str | None = None) -> str:
    """The search expression that finds the number in the organisations of the account, or in the one named.

    Raises `Refused` when it is no number of a person, or where there is nothing to look through.
    """
    if state.token is None:
        raise Refused("the masking keys are not on this machine: search on the one where the collector runs")
    kind, value = _kind_of(number)
    orgs = _orgs(state, account, org)
    tokens = [token for one in orgs if (token := state.token(one, kind, value))]
    # One that was never masked anywhere was never seen: the same expression, which finds nothing.
    expression = " OR ".join(tokens) or f"{kind}_unknown"
    detail = f"{_KINDS[kind]} in {len(orgs)} organisations: {expression}"
    state.stores.audit.record(AuditEntry(state.clock(), account.name, "search.person", org or "", detail[:4000]))
    return expression


def _kind_of(number: str) -> tuple[str, str]:
    # As it would stand in a log: a bare number of nine digits is an old id only where it is a value.
    for text in (number.strip(), f"/{number.strip()}/"):
        found = [span for span in recognise(text)[1] if span.kind in _KINDS]
        if len(found) == 1 and found[0].end - found[0].start >= len(number.strip()):
            return found[0].kind, found[0].value
    raise Refused("this is no phone number, CCCD or CMND: write it with all its digits")


def _orgs(state: State, account: Account, org: str | None) -> Sequence[str]:
    there = sorted({source.org for source in state.stores.sources.list(account.scope)} | (account.scope.orgs or set()))
    if org is not None:
        there = [one for one in there if one == org]
    if not there:
        raise Refused("there is no such organisation with a source that you may see")
    if len(there) > MOST_ORGS:
        raise Refused(f"you may see {len(there)} organisations: name one of them, {MOST_ORGS} at most are searched")
    return there


def is_personal(text: str) -> bool:
    """Whether a search holds a number of a person, which no line does."""
    return any(span.kind in _KINDS for span in recognise(text)[1])
