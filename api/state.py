"""What every route may reach, made once by `create_app` and handed over by `Depends`: there are no globals."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from threading import Lock
from typing import Annotated

from fastapi import Depends, Request

from api.console.render import Pages
from api.live import Feed
from api.throttle import SignIns
from soc.errors import NotFound
from soc.model.rule import RuleDoc
from soc.store.base import AlertStore, Stores


class RuleBook:
    """Rules as they were when they fired. A hash names one text for ever, so what was read once is kept (up to `size`)."""

    def __init__(self, alerts: AlertStore, size: int = 500) -> None:
        self._alerts = alerts
        self._size = size
        self._docs: OrderedDict[str, RuleDoc] = OrderedDict()
        self._lock = Lock()

    def get(self, rule_hash: str) -> RuleDoc | None:
        with self._lock:
            if doc := self._docs.get(rule_hash):
                return doc
        try:
            doc = self._alerts.rule(rule_hash)
        except NotFound:
            return None
        with self._lock:
            self._docs[rule_hash] = doc
            while len(self._docs) > self._size:
                self._docs.popitem(last=False)
        return doc


@dataclass(frozen=True, slots=True)
class State:
    """`clock` gives ms since 1970 UTC; `zone` is the people's; times without a zone are read in it."""

    stores: Stores
    clock: Callable[[], int]
    version: str
    zone: tzinfo
    cookie_secure: bool
    session_s: int
    sign_ins: SignIns
    rules: RuleBook
    feed: Feed
    pages: Pages


def _state(request: Request) -> State:
    state: State = request.app.state.soc
    return state


Here = Annotated[State, Depends(_state)]
