"""One correlation: exact in event time, whatever the order in which events arrive. See docs/adr/0007-correlations.md.

A *hit* is an event whose trailing window `(t - timespan, t]` in its group is what the rule asks for; there is no reset. Every event in
the window of a hit is folded into the alert of the hit's local day: it becomes one finding per alert, found once. Hits that further
events can undo are decided when the watermark has passed them. So the set of findings is a function of the set of events alone, as
long as none is later than the allowed lateness and no bound bites.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from rules.correlate.absence import absences
from rules.correlate.agenda import KEY_BYTES, Agenda
from rules.correlate.bound import Terms, TermsOf
from rules.correlate.entries import ID_BYTES, Entries, time_of
from rules.correlate.group import CARRIED_BYTES, Group, decode
from rules.correlate.grouping import carried_name, grouping, joined, payload_bytes, payload_of, shown, values_of
from rules.correlate.memory import Capped, Memory, Shortfall
from rules.correlate.state import State
from rules.correlate.window import Slide
from rules.rule import Rule
from soc.model.asked import MOST_EVENTS, Bounds
from soc.model.finding import ASKED, COUNTED, Finding, alert_id, finding_id

GROUP_CAP = MOST_EVENTS  # entries a group; the oldest go first
GROUPS_A_RULE = 1_000_000
GROUPS_A_TICK = 20_000  # decided by one rule at once; the rest waits for the next tick
_GROUPS_AT_ONCE = 100
_NARROWEST_MS = 15_000


class Correlator:
    """Runs one correlation rule over the findings of its base rules, correlations among them.

    `made_of`: hashes of the texts of all rules that it is made of. `carries`: fields of the events that correlations of this one need
    beyond what it groups by. `bind` has to be called before anything else.
    """

    def __init__(
        self, rule: Rule, made_of: Sequence[str], carries: Sequence[str], day: Callable[[int], str], cap: int, memory: Memory
    ) -> None:  # fmt: skip
        assert rule.correlation is not None
        self.rule = rule
        self.correlation = asked = rule.correlation
        self.short_of = Shortfall(Capped(cap), Capped(GROUPS_A_RULE))
        self.short: Counter[tuple[str, str]] = Counter()  # (organisation, why) -> findings that came to nothing
        self.watermark: int | None = None  # of its base rules, as of the last tick
        self.hits: list[Finding] = []  # for the correlations of this one, if there are any
        self.findings: list[Finding] = []
        self.feeds = False
        self._day, self._memory, self._carries = day, memory, carries
        self._carried = {base: asked.resolved(carries, base) for base in asked.rules}
        self._reads = {base: (asked.names_for(base), payload_of(asked, base)) for base in asked.rules}
        self._width = ID_BYTES + payload_bytes(asked) + (CARRIED_BYTES if carries else 0)
        self._absence = asked.type == "absence"
        self._decides = not asked.at_once
        # An edited rule starts anew: what was counted under other conditions means nothing to it.
        self._name = "c" + hashlib.blake2b("\0".join(made_of).encode(), digest_size=8).hexdigest()
        # Both widths are of the text, whatever is laid down: what is stored was noted by them.
        bucket = max(asked.timespan_ms // 8, _NARROWEST_MS)
        self.agenda = Agenda(self._name, bucket, asked.timespan_ms)
        self._dirty: dict[str, Group] = {}

    def bind(self, bounds: Mapping[str, Bounds], lag: int) -> None:
        """Between two batches: from now on it asks for this, by organisation. `lag`: ms that findings of its base rules may come behind
        the watermark."""
        self._terms = TermsOf(self.correlation, bounds)
        bucket, longest = self.agenda.width if self._decides else 0, self._terms.longest
        self.lag = lag + bucket + (longest if self._absence else 0)
        self._beyond = lag + 2 * bucket  # that a group lives longer than its window
        self.agenda.life = longest + self._beyond

    @property
    def unfit(self) -> Sequence[str]:
        """What is laid down about it and cannot hold."""
        return self._terms.unfit

    def observe(self, finding: Finding, state: State, expected: int | None) -> None:
        """Take one finding of a base rule. `expected`: no finding before this time (ms) was, when it came."""
        fields = finding.matched if finding.event is None else finding.event.fields
        base = finding.rule_id
        names, read = self._reads[base]
        by, payload = grouping(fields, names), read(fields)
        if by is None or payload is None or not finding.ts:
            self.short[finding.org, "unfit"] += 1
            return
        record = bytes.fromhex(finding.event_id) + payload
        self.agenda.load(state)
        group = self._group_of(finding.org, by, state, expected)
        if group is None:
            self.short[finding.org, "capped"] += 1
            return
        if self._carries:
            found = [text for name in self._carried[base] for text in grouping(fields, (name,)) or ("",)]
            name = carried_name(found)
            group.carry(name, found)
            record += name
        if group.insert(record):
            self._dirty[group.key] = group
            if self._decides:
                self._wait(group, record, expected)
            elif expected is not None and finding.ts < expected:
                self._came_late(finding.org)

    def settle(self, expected: int | None) -> None:
        """Tell what the findings since the last call bring about."""
        for group in self._dirty.values():
            fresh, group.fresh = group.fresh, None
            if fresh is None:
                continue
            if group.covered and not self.rule.silent:
                self._fold_into_known(group, fresh)
            terms = self._of(group)
            if not self._decides:
                self._hits_of_fresh(group, fresh, terms)
            self._forget(group, None if expected is None or self._decides else expected - terms.span)

    def tick(self, watermark: int, state: State) -> None:
        """No finding of a base rule before `watermark` is expected any more: decide what waited for it."""
        self.watermark = watermark
        agenda = self.agenda
        agenda.load(state)
        agenda.expire(watermark)
        left = GROUPS_A_TICK
        for bucket in agenda.passed(watermark) if self._decides else ():
            while left > 0 and (due := agenda.take(bucket, min(left, _GROUPS_AT_ONCE), state)):
                for digest in due:
                    group = self._load(self._name + digest.hex(), state)
                    if group is not None and group.due == bucket:
                        self._decide(group, watermark // agenda.width * agenda.width)
                left = 0 if self._memory.heavy else left - len(due)
            if left <= 0:
                break

    @property
    def settled(self) -> int:
        """The time before which all of its hits have been told, as of the last tick."""
        watermark, width = self.watermark or 0, self.agenda.width
        if not self._decides:
            return watermark
        decided = watermark // width * width if self.behind is None else self.behind
        return decided - self._terms.longest if self._absence else decided

    @property
    def behind(self) -> int | None:
        """The time up to which it has decided what waited, while there is more than one tick decides."""
        left = self.agenda.passed(self.watermark or 0) if self._decides else ()
        return left[0] * self.agenda.width if left else None

    def flush(self, state: State) -> None:
        """Write the groups that changed since the last flush."""
        for key, group in self._dirty.items():
            expires = self._expires(group)
            encoded = group.encode()
            group.counted_in = self.agenda.rebook(group.counted_in, expires, group.stored, len(encoded))
            group.stored = len(encoded)
            state.set(key, encoded, expires)
            self._memory.weigh(group)
        self._dirty.clear()
        self.agenda.flush(state)

    def forget(self) -> None:
        self._dirty.clear()
        self.agenda.forget()
        self.hits, self.findings = [], []
        self.short.clear()

    # -- the group of a finding

    def _of(self, group: Group) -> Terms:
        return self._terms.everybodys if self._terms.alike else self._terms.of(group.org)

    def _expires(self, group: Group) -> int:
        return max(group.entries.newest, 0) + self._of(group).span + self._beyond

    def _group_of(self, org: str, by: list[str], state: State, expected: int | None) -> Group | None:
        """The group, which may be a new one; None when there are too many."""
        texts = "\0".join((org, *by)).encode(errors="surrogatepass")
        key = self._name + hashlib.blake2b(texts, digest_size=KEY_BYTES).hexdigest()
        group = self._load(key, state)
        if group is not None:
            return group
        if self.agenda.groups >= self.short_of.crowded.kept or self._memory.free <= 0 or self._memory.full:
            self.short_of.crowded.dropped += 1
            return None
        self._memory.free -= 1
        self.agenda.begin()
        group = Group(key, texts, Entries(self._width))
        if self._decides and expected is not None:
            start = expected // self.agenda.width * self.agenda.width
            group.decided = max(0, self._limit(start, self._terms.of(org).span))
        self._memory.put(group)
        return group

    def _load(self, key: str, state: State) -> Group | None:
        group = self._memory.get(key)
        if group is not None:
            return group
        stored = state.get(key)
        if not stored:
            return None
        group = decode(key, stored, self._width, self._day)
        group.counted_in, group.stored = self.agenda.counted_in(self._expires(group)), len(stored)
        self._memory.put(group)
        self._memory.weigh(group)
        return group

    def _forget(self, group: Group, reach: int | None) -> None:
        """Drop what no window can reach that holds an event later than `reach`, and what the cap does not allow."""
        entries, cap = group.entries, group.cap(self.short_of.capped.kept, grows=not self._memory.full)
        gone = entries.after(reach) if reach is not None and len(entries) and entries.time(0) <= reach else 0
        over = len(entries) - gone - cap
        if over > 0:
            self.short_of.capped.dropped += over
            self.short[group.org, "capped"] += over
            gone += over
        if gone:
            group.forget(gone)
        if reach is not None and group.covered and group.covered[0].hi <= reach:
            group.covered = [one for one in group.covered if one.hi > reach]

    # -- hits that nothing can undo

    def _fold_into_known(self, group: Group, records: Sequence[bytes]) -> None:
        """Events that came into windows of hits that are known."""
        fresh = set(records)
        for record in records:
            ts, event = time_of(record), record[:ID_BYTES]
            if len(self.correlation.rules) > 1:  # then an event may have several records, and is found once
                its = list(group.entries.of(event))
                if record != its[0] or not fresh.issuperset(its):
                    continue
            for day in group.covering(ts):
                self.findings.append(self._finding(group, record, day, None))

    def _hits_of_fresh(self, group: Group, fresh: Sequence[bytes], terms: Terms) -> None:
        """Only windows that hold a fresh record can have become hits."""
        entries, slide, span = group.entries, group.slide, terms.span
        if slide is None and len(entries) < terms.need:
            return
        last = time_of(max(fresh))
        if slide is None:
            first = entries.time(group.first)
            if entries.after(last + span - 1) - entries.after(first - span) < terms.need:
                return
            slide = group.slide = Slide(terms.correlation, entries, group.first)
        while slide.step(last + span):
            if slide.holds:
                self._hit(group, slide.now - span, slide.now, slide.high, slide.size)
        if slide.high < len(entries):
            group.slide = None  # it must be at the newest, or it would begin where it is

    # -- hits that the watermark decides

    def _limit(self, watermark: int, span: int) -> int:
        """Instants before it can be decided."""
        return watermark - span + 1 if self._absence else watermark

    def _wait(self, group: Group, record: bytes, expected: int | None) -> None:
        """Note when the instant of a new record can be decided."""
        ts = time_of(record)
        if ts < group.decided or (expected is not None and ts < expected):
            self._came_late(group.org)
        if ts >= group.decided and not (self._absence and record[ID_BYTES]):
            self._note(group, ts)

    def _came_late(self, org: str) -> None:
        self.short_of.late += 1
        self.short[org, "late"] += 1

    def _note(self, group: Group, ts: int) -> None:
        bucket = self.agenda.bucket(ts + self._of(group).span - 1 if self._absence else ts)
        if group.due < 0 or bucket < group.due:
            group.due = bucket
            self.agenda.note(bucket, bytes.fromhex(group.key[len(self._name) :]))

    def _decide(self, group: Group, watermark: int) -> None:
        terms, entries = self._of(group), group.entries
        limit = self._limit(watermark, terms.span)
        self._dirty[group.key] = group
        at = entries.after(group.decided - 1)
        if at < len(entries):
            for lo, now, high, size in self._decided_hits(entries, at, limit, terms):
                self._hit(group, lo, now, high, size)
        group.decided = max(group.decided, limit)
        group.due = -1
        self._forget(group, watermark - terms.span)
        for i in range(entries.after(group.decided - 1), len(entries)):
            if not (self._absence and entries.record(i)[ID_BYTES]):
                self._note(group, entries.time(i))
                break

    def _decided_hits(
        self, entries: Entries, at: int, limit: int, terms: Terms
    ) -> Iterator[tuple[int, int, int, float]]:
        if self._absence:
            yield from ((now - 1, now, high, 0) for now, high in absences(entries, at, limit, terms.span))
            return
        slide = Slide(terms.correlation, entries, at)
        while slide.step(limit):
            if slide.holds:
                yield slide.now - terms.span, slide.now, slide.high, slide.size

    # -- findings

    def _hit(self, group: Group, lo: int, now: int, high: int, size: float) -> None:
        """Events at `now`, which end below the index `high`, are hits: fold those of `lo < ts <= now`."""
        entries = group.entries
        if self.feeds:
            low = high
            while low and entries.time(low - 1) == now:
                low -= 1
            self.hits += (self._hit_finding(group, record) for record in entries.between(low, high))
        if self.rule.silent:
            return
        day = self._day(now)
        # An absence folds its own instant alone, and each instant is decided once: nothing to remember.
        for after, until in [(lo, now)] if self._absence else group.cover(day, lo, now):
            end = high if until == now else entries.after(until)
            start = end
            while start and entries.time(start - 1) > after:
                start -= 1
            event = b""
            for record in entries.between(start, end):
                if record[:ID_BYTES] != event:  # else found by another rule as well
                    event = record[:ID_BYTES]
                    self.findings.append(self._finding(group, record, day, size))

    def _finding(self, group: Group, record: bytes, day: str, size: float | None) -> Finding:
        rule = self.rule
        field_name, entity = self._entity(group)
        if group.alerts is None:
            group.alerts = {}
        alert = group.alerts.get(day)
        if alert is None:
            alert = group.alerts[day] = alert_id(rule.id, group.org, entity, day)
        matched = values_of(self.correlation.group_by, group.by)
        if size is not None:
            matched[f"{COUNTED}{self.correlation.type}"] = size
        if (terms := self._of(group)).own:  # else the text of the rule says it
            matched[ASKED] = terms.correlation.asked
        event = record[:ID_BYTES].hex()
        return Finding(
            finding_id(alert, event),
            alert,
            rule.id,
            rule.hash,
            group.org,
            field_name,
            shown(entity),
            time_of(record),
            event,
            matched,
        )

    def _hit_finding(self, group: Group, record: bytes) -> Finding:
        """A hit as a correlation of this one sees it: as if a rule had found the event."""
        fields = values_of(self.correlation.group_by, group.by)
        if self._carries:
            found = (group.carried or {}).get(record[-CARRIED_BYTES:], ())
            fields |= {name: value for name, value in values_of(self._carries, found).items() if value}
        rule, event = self.rule, record[:ID_BYTES].hex()
        return Finding(event, "", rule.id, rule.hash, group.org, "", "", time_of(record), event, fields, True)

    def _entity(self, group: Group) -> tuple[str, str]:
        names = self.correlation.group_by
        if self.rule.entity in names:
            return self.rule.entity, group.by[names.index(self.rule.entity)]
        return (", ".join(names), joined(group.by)) if names else ("organization.id", group.org)
