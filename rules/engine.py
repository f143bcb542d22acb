"""Engine: events to findings by rules, findings to findings by correlations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import tzinfo
from functools import lru_cache

from rules.condition import FILTER, All, Any, Check, Condition, Not, Search, checks
from rules.correlate.all import Correlations, Judge
from rules.correlate.one import GROUP_CAP
from rules.correlate.state import State
from rules.lists.known import Lists
from rules.logsource import DATASETS, OWN_FIELDS, Origin, Route, origin, origins, route
from rules.match.column import Room
from rules.match.database import Blobs, Compiler
from rules.match.finding import finding_of
from rules.match.patterns import Sign
from rules.match.plan import Plan
from rules.match.sample import Sampler
from rules.match.sieve import Gauge, Sieve
from rules.match.table import Table
from rules.match.tally import Tally
from rules.predicate import Listed
from rules.rule import Rule, RuleSet
from soc.model.asked import BoundsOf
from soc.model.event import Event, Stored, Value
from soc.model.finding import Finding, local_day
from soc.model.ledger import Account
from soc.model.rule import RuleCost

QUARTER_MS = 900_000
ROOM = 96 << 20  # bytes that values and their tuples may be remembered in
FEW = 500  # rules that are arranged for a log source in some ms
ROUTES_KNOWN = 4096  # origins remembered; events could name any number of them
_NAMES = frozenset(OWN_FIELDS)
_OWN = [Sign(rf'"{name}"\s*:') for name in OWN_FIELDS]  # they would change which rules apply


class Engine:
    """All rules over all events. One engine belongs to one thread.

    `zone` is where the calendar day of an alert is counted. `broken`: rule id -> reason, for rules stopped because they raised.
    Rules can `rest`: they are not evaluated at all until they are woken. So does a rule that asks for a list that there is none of, and
    on the events of one organisation where only others have it. `blobs` keeps what takes long to compile.
    """

    def __init__(
        self,
        ruleset: RuleSet,
        zone: tzinfo,
        group_cap: int = GROUP_CAP,
        blobs: Blobs | None = None,
        lists: Lists | None = None,
    ) -> None:
        self.ruleset = ruleset
        self.broken: dict[str, str] = {}
        self._day = _calendar(zone)
        self._resting: frozenset[str] = frozenset()
        self._compiler = Compiler(blobs)
        self._lists = Lists() if lists is None else lists
        self._asks = {rule.id: names for rule in ruleset.rules if (names := _needed_lists(rule))}
        self._lists_known = self._lists.names
        self._table = Table(ruleset.rules, self._compiler, self._break, self._lists)
        self._room = Room(ROOM)
        self._gauge: Gauge | None = None
        self._detections: list[Rule] = []
        self._routes: dict[Route, Plan] = {}
        self._plans: dict[frozenset[str], Plan] = {}
        self._sieves: dict[str, Sieve] = {}
        self._audiences: dict[str, str] = {}
        self._admitted: dict[tuple[Origin, ...], frozenset[str]] = {}
        self._tally = Tally()
        self._sampler = Sampler(self.plan)
        self._sieves_by_rules: dict[frozenset[str], Sieve] = {}
        self.correlations = Correlations(ruleset, self._day, group_cap, self._break)
        self._prepare()

    # -- what runs

    def rest(self, rule_ids: frozenset[str]) -> None:
        """Let these rules rest, and the silent ones that nothing else needs; wake all others."""
        if rule_ids == self._resting and self._lists.names == self._lists_known:
            return
        self._resting = rule_ids
        self._prepare()

    @property
    def unlisted(self) -> dict[str, list[str]]:
        """Rule id -> the lists that it asks for and that are not there, so that it rests."""
        known = self._lists_known
        return {rule: lacking for rule, names in self._asks.items() if (lacking := sorted(names - known))}

    def succeed(self, other: Engine) -> None:
        """Take the place of one that runs: make ready for the events that it has met, so that no batch waits for it, and leave stopped
        what broke there and is the same here. Another thread may be running `other` meanwhile."""
        hashes = {rule.id: rule.hash for rule in other.ruleset.rules}
        known = {rule.id for rule in self.ruleset.rules if hashes.get(rule.id) == rule.hash}
        self.broken = {rule_id: reason for rule_id, reason in list(other.broken.items()) if rule_id in known}
        self._resting = other._resting
        self._prepare()
        for met in list(other._routes):
            self._routes[met] = self._plan_for(origin(met))
        for dataset in list(other._sieves):
            self._sieve_for(dataset)
        self.correlations.succeed(other.correlations)
        self._table.succeed(other._table)

    def compile(self) -> None:
        """All that events may need, for who has the same `blobs` later: it takes long."""
        for dataset in ("", *DATASETS):  # the first: whatever we do not know
            self._sieve_for(dataset)
            for where in origins(dataset):
                self._plan_for(where)
        self._table.compile()

    def _prepare(self) -> None:
        """Choose the rules that run, and forget what was arranged for others."""
        self._lists_known = self._lists.names
        idle = self._resting | self.unlisted.keys()
        resting = idle | self.correlations.needless(idle) | self.broken.keys()
        self.correlations.rest(resting)
        self._detections = [r for r in self.ruleset.rules if r.condition is not None and r.id not in resting]
        self._room = Room(ROOM)
        self._gauge = None
        for prepared in (
            self._routes,
            self._plans,
            self._sieves,
            self._sieves_by_rules,
            self._audiences,
            self._admitted,
        ):
            prepared.clear()
        self._tally.regroup()

    # -- events

    def sift(self, stored: Sequence[Stored]) -> list[Event]:
        """Those events, parsed, on which some rule may fire; on the others `match` would find nothing."""
        sieves = self._sieves
        self._tally.batch(stored, self._audience_of)
        self._sampler.batch(stored)
        kept = []
        for one in stored:
            sieve = sieves.get(one.dataset) or self._sieve_for(one.dataset)
            if sieve.admits(one.doc, source_ip=one.source_ip):
                event = one.event
                if one.ts and not _NAMES.isdisjoint(event.fields.keys()):
                    self._tally.moved(self._audience_of(one.dataset), self.plan(event.fields).audience, one.org)
                kept.append(event)
        return kept

    def _sieve_for(self, dataset: str) -> Sieve:
        where = origins(dataset)
        rules = [rule for rule in self._detections if any(origin.admits(rule.logsource) for origin in where)]
        name = frozenset(rule.id for rule in rules)  # shared, as plans are
        if name not in self._sieves_by_rules:
            conditions = [rule.condition for rule in rules if rule.condition is not None]
            self._sieves_by_rules[name] = Sieve(conditions, self._compiler, _OWN, self._lists)
        if len(self._sieves) >= ROUTES_KNOWN:
            self._sieves.clear()
        self._sieves[dataset] = self._sieves_by_rules[name]
        return self._sieves[dataset]

    def unmet(self, one: Stored) -> str | None:
        """What this event needs that takes long to make and that no event has needed yet: the name of a field; `` for what its log source
        needs; None where there is nothing. What takes little is made."""
        fields = one.event.fields
        for where, made in ((origins(one.dataset), self._sieves_by_rules), ([origin(route(fields))], self._plans)):
            rules = self._admitted_by(tuple(where))
            if len(rules) > FEW and rules not in made:
                return ""
        self._sieves.get(one.dataset) or self._sieve_for(one.dataset)
        return self.plan(fields).unmet(fields)

    def _admitted_by(self, where: tuple[Origin, ...]) -> frozenset[str]:
        found = self._admitted.get(where)
        if found is None:
            if len(self._admitted) >= ROUTES_KNOWN:
                self._admitted.clear()
            rules = (rule for rule in self._detections if any(one.admits(rule.logsource) for one in where))
            found = self._admitted[where] = frozenset(rule.id for rule in rules)
        return found

    def _audience_of(self, dataset: str) -> str:
        """The rules that see what comes of a dataset, by what the ledger calls them."""
        found = self._audiences.get(dataset)
        if found is None:
            if len(self._audiences) >= ROUTES_KNOWN:
                self._audiences.clear()
            where = origins(dataset)
            rules = (rule.id for rule in self._detections if any(origin.admits(rule.logsource) for origin in where))
            found = self._audiences[dataset] = self._tally.name(frozenset(rules), self.correlations.above)
        return found

    def costs(self) -> list[RuleCost]:
        """What the rules cost, as sampled of what was sifted; the dearest first."""
        return self._sampler.costs()

    def account(self) -> Account:
        """What the ledger has to know of the batch; what is told is forgotten here."""
        for rule, org, why, number in self.correlations.short():
            self._tally.short[rule, org, why] += number
        return self._tally.taken()

    def gauge(self) -> Gauge:
        """For JSON texts of events of any origin, flat or nested: which of them need not be parsed, as no rule can fire on them."""
        if self._gauge is None:
            self._gauge = Gauge(self._table.sieve(self._table.ready[rule.id] for rule in self._detections))
        return self._gauge

    def match(self, events: Iterable[Event]) -> list[Finding]:
        """Every hit of every detection rule, in the order of the events. Keeps no state; never raises for a rule or an event."""
        findings: list[Finding] = []
        for event in events:
            if event.ts == 0 and event.dead:
                continue  # its fields are unknown; it is matched when a mended parser replays it
            for fired in self.plan(event.fields).fire(event.fields):
                if (names := self._asks.get(fired.rule.id)) and not self._lists.there(names, event.org):
                    continue  # the list is another organisation's: here the rule rests
                try:
                    findings.append(finding_of(fired, event, self._day, self._lists))
                except Exception as error:  # noqa: BLE001 - one rule
                    self._break(fired.rule, error)
        return findings

    def plan(self, fields: Mapping[str, Value]) -> Plan:
        """The rules that can apply to an event, by its log source."""
        key = route(fields)
        try:
            plan = self._routes.get(key)
        except TypeError:  # a list where a word belongs
            key = tuple(part if isinstance(part, str) else None for part in key)  # type: ignore[assignment]
            plan = self._routes.get(key)
        if plan is None:
            if len(self._routes) >= ROUTES_KNOWN:
                self._routes.clear()
            plan = self._routes[key] = self._plan_for(origin(key))
        return plan

    def _plan_for(self, where: Origin) -> Plan:
        rules = [rule for rule in self._detections if where.admits(rule.logsource)]
        # Origins that admit the same rules share one plan, so events cannot make more plans than the rules tell apart.
        name = frozenset(rule.id for rule in rules)
        if name not in self._plans:
            ready = [self._table.ready[rule.id] for rule in rules]
            self._plans[name] = Plan(self._table, ready, self._break, self._room)
            self._plans[name].audience = self._tally.name(name, self.correlations.above)
        return self._plans[name]

    def _break(self, rule: Rule, error: Exception) -> None:
        if rule.id not in self.broken:
            self.broken[rule.id] = type(error).__name__  # its text may quote an event
            self._tally.short[rule.id, "", "failed"] += 1
            self._prepare()

    # -- correlations: see `Correlations`

    def bind(self, bounds: BoundsOf) -> None:
        self.correlations.bind(bounds)

    def correlate(
        self, findings: Sequence[Finding], state: State, expected: int | None = None, judge: Judge = list
    ) -> list[Finding]:
        return self.correlations.correlate(findings, state, expected, judge)

    def tick(self, watermark: int, state: State, judge: Judge = list) -> list[Finding]:
        return self.correlations.tick(watermark, state, judge)

    def settled(self, watermark: int) -> int:
        return self.correlations.settled(watermark)

    def flush(self, state: State) -> None:
        self.correlations.flush(state)

    def forget(self) -> None:
        self.correlations.forget()
        self._tally.clear()


def _calendar(zone: tzinfo) -> Callable[[int], str]:
    """`local_day`, computed once a quarter of an hour: no zone on earth changes its day within one."""

    @lru_cache(maxsize=4096)
    def of_quarter(quarter: int) -> str:
        return local_day(quarter * QUARTER_MS, zone)

    return lambda ts: of_quarter(ts // QUARTER_MS)


def lists_of(rule: Rule) -> frozenset[str]:
    """The lists that a detection rule asks for."""
    asked = checks(rule.condition) if rule.condition is not None else ()
    return frozenset(one.predicate.name for one in asked if isinstance(one.predicate, Listed))


def _needed_lists(rule: Rule) -> frozenset[str]:
    """Those that it cannot do without: a filter that takes away what is on a list takes nothing while there is none."""
    return frozenset(_lists_in(rule.condition, taken_away=False)) if rule.condition is not None else frozenset()


def _lists_in(condition: Condition, *, taken_away: bool) -> Iterator[str]:
    """`taken_away`: within what a filter denies."""
    match condition:
        case Check(_, Listed(name)) if not taken_away:
            yield name
        case All(parts) | Any(parts):
            for part in parts:
                yield from _lists_in(part, taken_away=taken_away)
        case Search(name, Not(part)) if name.startswith(FILTER):
            yield from _lists_in(part, taken_away=True)
        case Not(part) | Search(_, part):
            yield from _lists_in(part, taken_away=taken_away)
