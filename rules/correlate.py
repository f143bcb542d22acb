"""Correlations that count: exact sliding windows in event time, whatever the order in which events arrive.

A *hit* is an event whose trailing window `(t - timespan, t]` in its group satisfies the condition; there is no reset. Every event
that lies in the window of a hit is folded into the alert of the hit's local day: it becomes one finding per alert, found once.
So the set of findings is a function of the set of events alone, as long as none is later than the allowed lateness and no
group outgrows its cap.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import orjson

from rules.predicate import texts
from rules.rule import Correlation, Rule, RuleSet
from rules.state import State
from soc.model.event import Fields
from soc.model.finding import Finding, alert_id, finding_id

GROUP_CAP = 10_000  # entries a group; the oldest go first
GROUPS_DECODED = 5_000  # groups a correlation keeps as objects between commits ...
ENTRIES_DECODED = 20_000  # ... and the entries in them; a group of the full cap fits
LATENESS_MS = 3_600_000


@dataclass(slots=True)
class Entry:
    """One event of a group. `days` are the local days of the hits whose window it lies in: its findings so far."""

    ts: int
    event_id: str
    value: str
    days: tuple[str, ...] = ()


@dataclass(slots=True)
class Group:
    """The events of one group in order of (time, id), with the window that ends at the newest of them counted ahead."""

    org: str
    by: list[str]
    entries: list[Entry] = field(default_factory=list)
    start: int = 0  # index where the newest window starts
    values: Counter[str] = field(default_factory=Counter)  # distinct values in the newest window
    dropped: int = 0

    @property
    def newest(self) -> int:
        return self.entries[-1].ts if self.entries else -1

    def encode(self) -> bytes:
        return orjson.dumps(
            [self.org, self.by, self.dropped, [[e.ts, e.event_id, e.value, e.days] for e in self.entries]]
        )


@dataclass(slots=True)
class Capped:
    """A bound that bit: `groups` outgrew it, `dropped` entries were forgotten while `kept` is the most that one group holds."""

    kept: int
    dropped: int = 0


class Correlator:
    """Runs one correlation rule over the findings of its base rules. Holds no state of its own but a cache of decoded groups."""

    def __init__(
        self, rule: Rule, bases: Sequence[Rule], day: Callable[[int], str], lateness_ms: int, cap: int
    ) -> None:
        assert rule.correlation is not None
        self.rule = rule
        self.correlation = rule.correlation
        self._day = day
        self._lateness = lateness_ms
        self._cap = cap
        self.capped = Capped(cap)
        self.late = 0
        # An edited rule starts anew: what was counted under other conditions means nothing to it.
        self._name = hashlib.blake2b(
            "\0".join([rule.hash, *(b.hash for b in bases)]).encode(), digest_size=8
        ).hexdigest()
        self._fields = {base.id: self.correlation.names_for(base.id) for base in bases}
        self._groups: OrderedDict[str, Group] = OrderedDict()
        self._dirty: dict[str, Group] = {}

    def observe(self, finding: Finding, state: State) -> list[Finding]:
        """Take one finding of a base rule, with its event; return the findings of this correlation that are new because of it."""
        assert finding.event is not None
        fields = finding.event.fields
        by = grouping(fields, self._fields[finding.rule_id])
        value = counted(fields, self.correlation)
        if by is None or value is None:
            return []
        key = self._key(finding.org, by)
        group = self._group(key, finding.org, by, state)
        at = self._insert(group, Entry(finding.ts, finding.event_id, value))
        if at is None:
            return []
        self._dirty[key] = group
        # Logs count in seconds, so many events share the newest time: none of them is late.
        in_order = finding.ts == group.newest
        hits = self._newest(group, at) if in_order else self._recount(group, at)
        new = [self._finding(group, entry, day, size, finding) for entry, day, size in hits]
        self._trim(group, by_time=in_order)
        return new

    def flush(self, state: State) -> None:
        """Write the groups that changed since the last flush."""
        if not self._dirty:
            return
        for key, group in self._dirty.items():
            state.set(key, group.encode(), group.newest + self.correlation.timespan_ms + self._lateness)
        self._dirty.clear()
        entries = sum(len(group.entries) for group in self._groups.values())
        while len(self._groups) > GROUPS_DECODED or entries > ENTRIES_DECODED:
            entries -= len(self._groups.popitem(last=False)[1].entries)

    def forget(self) -> None:
        self._groups.clear()
        self._dirty.clear()

    # -- the group of a finding

    def _key(self, org: str, by: Sequence[str]) -> str:
        digest = hashlib.blake2b("\0".join([org, *by]).encode(errors="surrogatepass"), digest_size=12).hexdigest()
        return f"corr:{self._name}:{digest}"

    def _group(self, key: str, org: str, by: list[str], state: State) -> Group:
        group = self._groups.get(key)
        if group is not None:
            self._groups.move_to_end(key)
            return group
        stored = state.get(key)
        group = Group(org, by) if stored is None else self._decode(stored)
        self._groups[key] = group
        return group

    def _decode(self, stored: bytes) -> Group:
        org, by, dropped, entries = orjson.loads(stored)
        group = Group(
            org, by, [Entry(ts, event, value, tuple(days)) for ts, event, value, days in entries], dropped=dropped
        )
        self._count_newest(group)
        return group

    # -- windows

    def _insert(self, group: Group, entry: Entry) -> int | None:
        """Put the entry in its place and return where; None when this event is there already."""
        entries = group.entries
        if not entries or entry.ts > group.newest:
            entries.append(entry)
            return len(entries) - 1
        place = (entry.ts, entry.event_id)
        at = bisect_left(entries, place, key=_order)
        if at < len(entries) and _order(entries[at]) == place:
            return None
        if entry.ts < group.newest - self._lateness:
            self.late += 1
        entries.insert(at, entry)
        return at

    def _newest(self, group: Group, at: int) -> Iterator[tuple[Entry, str, int]]:
        """An entry of the newest time came: move the counted window on, and if it is satisfied mark what it holds."""
        entries, values = group.entries, group.values
        added = entries[at]
        values[added.value] += 1
        while entries[group.start].ts <= added.ts - self.correlation.timespan_ms:
            _subtract(values, entries[group.start].value)
            group.start += 1
        size = self._size(len(entries) - group.start, values)
        if size < self.correlation.at_least:
            return
        day = self._day(added.ts)
        if day not in added.days:
            added.days += (day,)
            yield added, day, size
        for i in range(len(entries) - 1, group.start - 1, -1):
            if i == at:
                continue
            # All before an entry that a hit of this day marked were marked with it, unless a later hit came first: see _recount.
            if day in entries[i].days:
                break
            entries[i].days += (day,)
            yield entries[i], day, size

    def _recount(self, group: Group, at: int) -> Iterator[tuple[Entry, str, int]]:
        """An entry came late: every window that holds it is decided again."""
        entries, span = group.entries, self.correlation.timespan_ms
        first, last = entries[at].ts, entries[at].ts + span
        low = bisect_right(entries, first - span, key=_time)
        values: Counter[str] = Counter()
        marked: dict[str, int] = {}
        high = low
        while high < len(entries) and entries[high].ts < last:
            now = entries[high].ts
            while high < len(entries) and entries[high].ts == now:
                values[entries[high].value] += 1
                high += 1
            while entries[low].ts <= now - span:
                _subtract(values, entries[low].value)
                low += 1
            size = self._size(high - low, values)
            if now >= first and size >= self.correlation.at_least:
                day = self._day(now)
                for i in range(max(low, marked.get(day, 0)), high):
                    if day not in entries[i].days:
                        entries[i].days += (day,)
                        yield entries[i], day, size
                marked[day] = high
        self._count_newest(group)

    def _count_newest(self, group: Group) -> None:
        group.start = bisect_right(group.entries, group.newest - self.correlation.timespan_ms, key=_time)
        group.values = Counter(entry.value for entry in group.entries[group.start :])

    def _size(self, events: int, values: Counter[str]) -> int:
        return len(values) if self.correlation.counted else events

    def _trim(self, group: Group, by_time: bool) -> None:
        """Drop what the cap does not allow and, `by_time`, what no window inside the lateness can reach.

        A late entry stays until time moves on in its group, so that a burst of old events is still seen as one.
        """
        entries = group.entries
        reach = group.newest - self.correlation.timespan_ms - self._lateness
        gone = bisect_right(entries, reach, key=_time) if by_time and entries[0].ts <= reach else 0
        over = len(entries) - gone - self._cap
        if over > 0:
            group.dropped += over
            self.capped.dropped += over
            gone += over
        if gone:
            for entry in entries[group.start : gone]:
                _subtract(group.values, entry.value)
            del entries[:gone]
            group.start = max(0, group.start - gone)

    # -- findings

    def _finding(self, group: Group, entry: Entry, day: str, size: int, cause: Finding) -> Finding:
        field_name, entity = self._entity(group)
        alert = alert_id(self.rule.id, group.org, entity, day)
        matched: Fields = dict(zip(self.correlation.group_by, group.by, strict=True))
        matched[f"govsoc.correlation.{self.correlation.type}"] = size
        return Finding(
            id=finding_id(alert, entry.event_id),
            alert_id=alert,
            rule_id=self.rule.id,
            rule_hash=self.rule.hash,
            org=group.org,
            entity_field=field_name,
            entity=entity,
            ts=entry.ts,
            event_id=entry.event_id,
            matched=matched,
            event=cause.event if entry.event_id == cause.event_id else None,
        )

    def _entity(self, group: Group) -> tuple[str, str]:
        names = self.correlation.group_by
        if self.rule.entity in names:
            return self.rule.entity, group.by[names.index(self.rule.entity)]
        return (", ".join(names), ", ".join(group.by)) if names else ("organization.id", group.org)


def grouping(fields: Fields, names: Sequence[str]) -> list[str] | None:
    """The group that an event belongs to; None when it lacks one of the fields."""
    by = []
    for name in names:
        found = texts(fields.get(name))
        if not found:
            return None
        by.append(", ".join(found))
    return by


def counted(fields: Fields, correlation: Correlation) -> str | None:
    """The value that an event adds to a `value_count`, empty for `event_count`; None when the event lacks the field."""
    found = grouping(fields, correlation.counted)
    return None if found is None else "\0".join(found)


def correlators(ruleset: RuleSet, day: Callable[[int], str], lateness_ms: int, cap: int) -> Iterable[Correlator]:
    known = {rule.id: rule for rule in ruleset.rules}
    for rule in ruleset.rules:
        if rule.correlation is not None:
            yield Correlator(rule, [known[base] for base in rule.correlation.rules], day, lateness_ms, cap)


def _order(entry: Entry) -> tuple[int, str]:
    return entry.ts, entry.event_id


def _time(entry: Entry) -> int:
    return entry.ts


def _subtract(values: Counter[str], value: str) -> None:
    if values[value] <= 1:
        del values[value]
    else:
        values[value] -= 1
