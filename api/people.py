"""Finding what the logs say of one person: the number becomes the tokens that stand for it in the lines of each organisation.

Who looked is written down before the answer is given; the number itself is kept nowhere, and never becomes part of an address.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from api.errors import Refused
from api.state import State
from collector.recognise import recognise
from soc.errors import ConfigError
from soc.model.account import Account
from soc.store.base import AuditEntry

MOST_ORGS = 60  # as many tokens as a search expression of 2,000 characters takes
LONGEST = 40
_log = structlog.get_logger("api")
_KINDS = {"phone": "a phone number", "cccd": "a citizen id", "cmnd": "a citizen id"}


@dataclass(frozen=True, slots=True)
class Reach:
    """Organisations: those that a search for a person looks through, and those whose masking key is not on this machine.

    Of the latter nothing was ever masked, or it was masked elsewhere: that nothing is found says nothing about them.
    """

    searched: tuple[str, ...]
    keyless: tuple[str, ...]


def reach(state: State, account: Account, org: str | None = None) -> Reach:
    """In the organisations of the account, or in the one named. Raises `Refused` where there is none or too many."""
    orgs = _orgs(state, account, org)
    searched = tuple(one for one in orgs if state.keys and state.keys.has(one))
    return Reach(searched, tuple(one for one in orgs if one not in searched))


def expression_for(state: State, account: Account, number: str, org: str | None = None) -> tuple[str, Reach]:
    """The search expression that finds the number, and where.

    Raises `Refused` when it is no number of a person, and where there is nothing to look through, or no key to do it with.
    """
    kind, value = _kind_of(number)
    where = reach(state, account, org)
    tokens = [token for one in where.searched if (token := _token(state, one, kind, value))]
    expression = " OR ".join(tokens)
    detail = f"{_KINDS[kind]} in {len(where.searched)} organisations: {expression}"
    state.stores.audit.record(AuditEntry(state.clock(), account.name, "search.person", org or "", detail[:4000]))
    if not tokens:
        raise Refused(
            f"nothing was searched: the masking keys of {', '.join(where.keyless)} are not on this machine. "
            "Search on the one where their collector runs"
        )
    return expression, where


def _token(state: State, org: str, kind: str, value: str) -> str | None:
    try:
        return state.keys.token(org, kind, value) if state.keys else None
    except ConfigError as error:  # a file that is cut, for whoever runs this; its path is not for everyone
        _log.warning("a masking key is unusable", reason=str(error))
        raise Refused(
            f"the masking key of {org} is unusable: tell whoever runs this service, or name another organisation"
        ) from None


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
