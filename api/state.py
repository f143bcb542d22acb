"""What every route may reach, made once by `state_of` and handed over by `Depends`: there are no globals."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path, PurePath
from threading import Lock
from typing import Annotated, Protocol
from zoneinfo import ZoneInfo

from fastapi import Depends, Request

from api.console.render import Pages
from api.directory import Organisations
from api.explain import Compiled
from api.harmless import Watched
from api.live import Feed
from api.notifications import Tests
from api.onboarding import Rehearsal
from api.throttle import SignIns
from api.tuning.budget import DAILY_BUDGET
from collector.snippets import Place
from rules.desk.tuning import Tuning
from rules.lists.known import Lists
from soc.backtest.jobs import Jobs
from soc.errors import NotFound
from soc.model.org import EVERYTHING
from soc.model.rule import RuleDoc, RuleFault, RulesInForce
from soc.notify.route import Route
from soc.store.anomalies import SqliteAnomalies
from soc.store.base import AlertFilter, AlertStore, Stores
from soc.store.levels import LevelStore
from soc.store.unusual import UnusualStore

_WATCHED_ALERTS = 200
_ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


class RuleBook:
    """Rules as people may see them: where the server keeps its files is not for everyone, so paths are `folder/file`."""

    def __init__(self, alerts: AlertStore, size: int = 500) -> None:
        self._alerts = alerts
        self._size = size
        self._docs: OrderedDict[str, RuleDoc] = OrderedDict()
        self._lock = Lock()

    def running(self) -> tuple[list[RuleDoc], list[RuleFault]]:
        """The rules that run now, and what cannot run."""
        rules, faults = self._alerts.running()
        return [_shown(rule) for rule in rules], [_shown_fault(fault, rules) for fault in faults]

    def in_force(self) -> RulesInForce | None:
        """Since when they run."""
        return self._alerts.in_force()

    def get(self, rule_hash: str) -> RuleDoc | None:
        """A rule as it was when it fired. A hash names one text for ever, so what was read once is kept (up to `size`)."""
        with self._lock:
            if doc := self._docs.get(rule_hash):
                return doc
        try:
            doc = _shown(self._alerts.rule(rule_hash))
        except NotFound:
            return None
        with self._lock:
            self._docs[rule_hash] = doc
            while len(self._docs) > self._size:
                self._docs.popitem(last=False)
        return doc


def _short(path: str) -> str:
    """`/etc/govsoc/rules/portal/sql_injection.yml` is `portal/sql_injection.yml` to people."""
    return "/".join(part for part in PurePath(path).parts[-2:] if part != "/")


def _shown(rule: RuleDoc) -> RuleDoc:
    return replace(rule, path=_short(rule.path))


def _shown_fault(fault: RuleFault, rules: Sequence[RuleDoc]) -> RuleFault:
    """A reason may name the file of another rule, such as the one that has the same id."""
    reason = fault.reason
    for path in {rule.path for rule in rules if rule.path and rule.path in reason}:
        reason = reason.replace(path, _short(path))
    return replace(fault, reason=reason, path=fault.path and _short(fault.path))


class Keys(Protocol):
    """The masking keys of the organisations that are on this machine."""

    def has(self, org: str) -> bool: ...

    def token(self, org: str, kind: str, value: str) -> str | None:
        """What stands for a number in the lines of an organisation; None without its key. Raises `ConfigError` when that is unusable."""
        ...


@dataclass(frozen=True, slots=True)
class State:
    """`clock` gives ms since 1970 UTC; `zone` is the people's; times without a zone are read in it.

    `keys`: None where there are no masking keys on this machine. `daily_budget`: alerts a day that the analysts can work on.
    `tuning`: what people have laid down about rules, as the detector knows it. `lists`: where the files of lists of indicators are.
    `levels`: how services do, `unusual`: who behaves unlike before, as the observer has written it.
    """

    stores: Stores
    clock: Callable[[], int]
    version: str
    zone: tzinfo
    cookie_secure: bool
    session_s: int
    sign_ins: SignIns
    tests: Tests
    rules: RuleBook
    organisations: Organisations
    feed: Feed
    pages: Pages
    keys: Keys | None
    backtests: Jobs
    daily_budget: float
    rehearsal: Rehearsal
    compiled: Compiled
    tuning: Callable[[], Tuning]
    place: Place
    lists: Path
    known_lists: Callable[[], Lists]
    levels: LevelStore
    anomalies: SqliteAnomalies
    unusual: UnusualStore

    @property
    def watched(self) -> Watched:
        return Watched(self.anomalies, self.unusual)


def state_of(
    stores: Stores,
    *,
    clock: Callable[[], int],
    cookie_secure: bool,
    jobs: Jobs,
    tuning: Callable[[], Tuning],
    lists_dir: Path,
    known_lists: Callable[[], Lists],
    levels: LevelStore,
    anomalies: SqliteAnomalies,
    unusual: UnusualStore,
    version: str = "",
    send_test: Callable[[Route], str] | None = None,
    session_s: int = 12 * 3600,
    zone: tzinfo = _ZONE,
    live_interval_s: float = 1.0,
    daily_budget: float = DAILY_BUDGET,
    keys: Keys | None = None,
    place: Place | None = None,
) -> State:
    """Nothing is read or connected yet.

    `clock`: ms since 1970 UTC. `cookie_secure`: sessions travel over HTTPS only. `zone`: how the console shows times.
    `send_test`: see `Tests`. `keys`, `tuning`: see `State`. `lists_dir`: where the files of lists of indicators are; `known_lists`:
    what is on them now, for rules that are tried. `levels`: how services do, `anomalies`: what is unusual, `unusual`: who is, all as
    the observer has written it on this machine. `place`: where senders reach the collector.
    """
    return State(
        stores=stores,
        clock=clock,
        version=version,
        zone=zone,
        cookie_secure=cookie_secure,
        session_s=session_s,
        sign_ins=SignIns(),
        tests=Tests(send_test),
        rules=RuleBook(stores.alerts),
        organisations=Organisations(stores.policies),
        feed=Feed(
            lambda: stores.alerts.list(AlertFilter(), EVERYTHING, limit=_WATCHED_ALERTS), interval_s=live_interval_s
        ),
        pages=Pages(zone, clock),
        daily_budget=daily_budget,
        keys=keys,
        backtests=jobs,
        rehearsal=Rehearsal(known_lists),
        compiled=Compiled(),
        tuning=tuning,
        place=place or Place(),
        lists=lists_dir,
        known_lists=known_lists,
        levels=levels,
        anomalies=anomalies,
        unusual=unusual,
    )


def _state(request: Request) -> State:
    state: State = request.app.state.soc
    return state


Here = Annotated[State, Depends(_state)]
