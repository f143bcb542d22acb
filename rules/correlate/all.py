"""All correlations of a set of rules: what their base rules find, through them, to findings; those of which others are made at first."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b

from rules.correlate.bound import NOTHING
from rules.correlate.memory import BYTES_IN_ALL, GROUPS_IN_ALL, Capped, Memory
from rules.correlate.one import Correlator
from rules.correlate.state import Staged, State
from rules.rule import Rule, RuleSet
from soc.model.asked import BoundsOf
from soc.model.finding import Finding, storable

# Findings of a correlation to those of them that may count towards others.
Judge = Callable[[list[Finding]], list[Finding]]
# What damaged state, or an event of a shape nobody thought of, raises; errors of the store pass.
_ONE_RULE = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError, struct.error)


class Correlations:
    """Keeps no state but a cache: what must last is read and written through `state`. `stop` is told of a rule that raises."""

    def __init__(
        self, ruleset: RuleSet, day: Callable[[int], str], cap: int, stop: Callable[[Rule, Exception], None],
        groups_in_all: int = GROUPS_IN_ALL,
    ) -> None:  # fmt: skip
        self._stop = stop
        self._memory = Memory()
        self._groups_in_all = groups_in_all
        self._order = list(_correlators(ruleset, day, cap, self._memory))
        self._silent = {rule.id for rule in ruleset.rules if rule.silent}
        self._parents: dict[str, list[Correlator]] = {}
        for one in self._order:
            for base in one.correlation.rules:
                self._parents.setdefault(base, []).append(one)
        known = {one.rule.id: one for one in self._order}
        self._children = {
            one.rule.id: [known[base] for base in one.correlation.rules if base in known] for one in self._order
        }
        for one in self._order:
            one.feeds = one.rule.id in self._parents
        self._off: set[str] = set()
        self._bounds: BoundsOf | None = None
        self.bind({})

    def succeed(self, other: Correlations) -> None:
        """Go on with what `other` tells of rules that are the same here. It may run meanwhile, and counts on."""
        known = {(one.rule.id, one.rule.hash): one for one in other._order}
        for one in self._order:
            if before := known.get((one.rule.id, one.rule.hash)):
                one.short_of = before.short_of

    def bind(self, bounds: BoundsOf) -> None:
        """From now on these hold, for what comes; call it between two batches. Cheap when they are the same as before."""
        if bounds == self._bounds:
            return
        self._bounds = bounds
        lags: dict[str, int] = {}
        for one in self._order:
            lag = max((lags.get(base, 0) for base in one.correlation.rules), default=0)
            one.bind(bounds.get(one.rule.id, NOTHING), lag)
            lags[one.rule.id] = one.lag
        self._memory.rewind()

    def rest(self, rule_ids: Iterable[str]) -> None:
        """Evaluate all but these."""
        self._off = set(rule_ids)

    def needless(self, resting: Iterable[str]) -> set[str]:
        """Silent base rules all of whose correlations rest, or are needless themselves."""
        off = set(resting)

        def unasked(rule_id: str) -> bool:
            parents = self._parents.get(rule_id, ())
            return rule_id in self._silent and bool(parents) and all(parent.rule.id in off for parent in parents)

        for one in reversed(self._order):
            if unasked(one.rule.id):
                off.add(one.rule.id)
        return {rule_id for rule_id in self._parents if unasked(rule_id)}

    def correlate(
        self, findings: Sequence[Finding], state: State, expected: int | None = None, judge: Judge = list
    ) -> list[Finding]:
        """The findings that these findings of base rules bring about at once. Reads `state`; writes are left to `flush`.

        `expected`: no event before this time (ms) was expected when these came; those that are, are counted as late.
        """
        self._memory.free = self._groups_in_all - sum(one.agenda.groups for one in self._order)
        self._memory.full = sum(one.agenda.bytes for one in self._order) >= BYTES_IN_ALL
        self._feed(findings, state, expected)
        return self._told(state, expected, judge, None)

    def tick(self, watermark: int, state: State, judge: Judge = list) -> list[Finding]:
        """No event before `watermark` (ms) is expected any more: the findings that this decides."""
        return self._told(state, None, judge, watermark)

    def settled(self, watermark: int) -> int:
        """What expires before this time is of no use any more; before `watermark` while a tick has left something undecided."""
        return min([watermark, *(one.behind for one in self._running() if one.behind is not None)])

    def flush(self, state: State) -> None:
        """Write what has changed. Call it just before committing `state` with the cursor."""
        for one in self._order:
            staged = Staged(state)
            try:
                one.flush(staged)
            except _ONE_RULE as error:
                self._break(one, error)
            else:
                staged.apply()
        self._memory.trim()

    def forget(self) -> None:
        """Drop everything decoded from state: after a commit that failed, what is stored is the truth."""
        for one in self._order:
            one.forget()
        self._memory.forget()

    @property
    def capped(self) -> dict[str, Capped]:
        """Rule id -> entries kept a group, entries dropped in all; where some group outgrew its bound."""
        return {one.rule.id: one.short_of.capped for one in self._order if one.short_of.capped.dropped}

    @property
    def crowded(self) -> dict[str, Capped]:
        """Rule id -> groups kept, events that would have begun another; where there were too many groups."""
        return {one.rule.id: one.short_of.crowded for one in self._order if one.short_of.crowded.dropped}

    @property
    def late(self) -> dict[str, int]:
        """Rule id -> events that came later than the allowed lateness."""
        return {one.rule.id: one.short_of.late for one in self._order if one.short_of.late}

    def lag(self, rule_id: str) -> int:
        """How far behind the watermark this correlation tells what it finds, at most, ms."""
        return next((one.lag for one in self._order if one.rule.id == rule_id), 0)

    def short(self) -> Iterator[tuple[str, str, str, int]]:
        """(rule, organisation, why, number) of findings that came to nothing since this was asked last."""
        for one in self._order:
            for (org, why), number in one.short.items():
                yield one.rule.id, org, why, number
            one.short.clear()

    def above(self, rule_ids: Iterable[str]) -> set[str]:
        """The correlations that run and are made of these rules, directly or through others."""
        found = set(rule_ids)
        for one in self._order:
            if one.rule.id not in self._off and not found.isdisjoint(one.correlation.rules):
                found.add(one.rule.id)
        return found

    def shortcomings(self) -> Iterator[tuple[str, str]]:
        """(rule id, what keeps it from being exact), of bounds that bit and events that came too late."""
        full = f"; all groups together have the {BYTES_IN_ALL >> 20} MB that they may have" if self._memory.full else ""
        for rule, capped in self.capped.items():
            yield rule, f"a group outgrew its bound: {capped.kept} events kept, {capped.dropped} forgotten{full}"
        for rule, crowded in self.crowded.items():
            yield rule, f"too many groups: {crowded.kept} kept, {crowded.dropped} events of others left out{full}"
        for rule, late in self.late.items():
            yield (
                rule,
                f"{late} events came later than the allowed lateness: what was decided before knows nothing of them",
            )
        for one in self._order:
            yield from ((one.rule.id, reason) for reason in one.unfit)

    # --

    def _running(self) -> Iterator[Correlator]:
        return (one for one in self._order if one.rule.id not in self._off)

    def _feed(self, findings: Iterable[Finding], state: State, expected: int | None) -> None:
        for finding in findings:
            for one in self._parents.get(finding.rule_id, ()):
                if one.rule.id in self._off:
                    continue
                try:
                    one.observe(finding, state, expected)
                except _ONE_RULE as error:
                    self._break(one, error)

    def _told(self, state: State, expected: int | None, judge: Judge, watermark: int | None) -> list[Finding]:
        """What each has to tell, and through those that it feeds what they have: children come before parents."""
        found: list[Finding] = []
        for one in list(self._running()):
            children = [child for child in self._children[one.rule.id] if child.rule.id not in self._off]
            staged = Staged(state)
            try:
                # What a child tells comes behind the watermark, so its parents go by what the child has told.
                one.settle(one.watermark if children else expected)
                if watermark is not None:
                    one.tick(min([watermark, *(child.settled for child in children)]), staged)
                one.findings = [storable(finding) for finding in one.findings]
            except _ONE_RULE as error:
                self._break(one, error)
                continue
            staged.apply()
            found += one.findings
            hits, one.findings, one.hits = one.hits, [], []
            if hits:
                counting = judge(hits)
                for parent in self._parents[one.rule.id]:
                    self._feed_one(parent, counting, state)
        return found

    def _feed_one(self, parent: Correlator, hits: list[Finding], state: State) -> None:
        if parent.rule.id in self._off:
            return
        try:
            for hit in hits:
                parent.observe(hit, state, parent.watermark)
        except _ONE_RULE as error:
            self._break(parent, error)

    def _break(self, one: Correlator, error: Exception) -> None:
        self._off.add(one.rule.id)
        one.forget()
        self._stop(one.rule, error)


def in_order(rules: Iterable[Rule]) -> list[Rule]:
    """The correlations among them, each after those that it is made of. They have no cycles: the loader refuses them."""
    known = {rule.id: rule for rule in rules}
    ordered: dict[str, Rule] = {}

    def put(rule: Rule) -> None:
        if rule.correlation is None or rule.id in ordered:
            return
        for base in rule.correlation.rules:
            put(known[base])
        ordered[rule.id] = rule

    for rule in known.values():
        put(rule)
    return list(ordered.values())


def carried(ordered: Sequence[Rule]) -> dict[str, tuple[str, ...]]:
    """Correlation id -> the fields of its events that correlations of it need beyond what it groups by."""
    needs: dict[str, dict[str, None]] = {rule.id: {} for rule in ordered}
    for rule in reversed(ordered):
        asked = rule.correlation
        assert asked is not None
        wanted = (*asked.group_by, *asked.counted, *needs[rule.id])
        for base in set(asked.rules) & needs.keys():
            needs[base] |= dict.fromkeys(asked.resolved(wanted, base))
        needs[rule.id] = {name: None for name in needs[rule.id] if name not in asked.group_by}
    return {rule_id: tuple(names) for rule_id, names in needs.items()}


def _correlators(ruleset: RuleSet, day: Callable[[int], str], cap: int, memory: Memory) -> Iterator[Correlator]:
    known = {rule.id: rule for rule in ruleset.rules}
    ordered = in_order(ruleset.rules)
    carries = carried(ordered)
    digests: dict[str, str] = {}
    for rule in ordered:
        assert rule.correlation is not None
        bases = rule.correlation.rules
        made_of = (rule.hash, *(digests.get(base, known[base].hash) for base in bases), *carries[rule.id])
        digests[rule.id] = blake2b("\0".join(made_of).encode(errors="surrogatepass"), digest_size=16).hexdigest()
        yield Correlator(rule, made_of, carries[rule.id], day, cap, memory)
