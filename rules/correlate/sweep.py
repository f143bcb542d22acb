"""Every hit of the correlations over events that are all at hand: one pass over each group in the order of time, no state to keep."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from rules.correlate.absence import absences
from rules.correlate.all import carried, in_order
from rules.correlate.bound import NOTHING, TermsOf
from rules.correlate.entries import END_OF_TIME, ID_BYTES, TIME_BYTES, Entries
from rules.correlate.group import CARRIED_BYTES
from rules.correlate.grouping import carried_name, grouping, payload_bytes, payload_of, values_of
from rules.correlate.window import Slide
from rules.rule import Correlation, Rule, RuleSet
from soc.model.asked import BoundsOf
from soc.model.event import Fields

_Group = tuple[str, ...]  # the organisation, and the texts that are grouped by


@dataclass(frozen=True, slots=True)
class Hit:
    """The event of `line` is a hit, of the group `by` of an organisation. `size`: what its window comes to."""

    line: int
    org: str
    by: tuple[str, ...]
    size: float
    _all: list[int] = field(repr=False)  # lines of its group, of which the window is a part
    _low: int
    _high: int

    @property
    def lines(self) -> list[int]:
        """Its whole window, in the order of time. Made when it is asked for: all windows together may be a thousand times the events."""
        return list(dict.fromkeys(self._all[self._low : self._high]))


@dataclass(slots=True)
class Sweep:
    """The events that count towards one correlation. `groups`: each with its records, of which a line takes the place of a hash."""

    rule: Rule
    correlation: Correlation
    carries: tuple[str, ...]
    terms: TermsOf
    groups: dict[_Group, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    carried: dict[bytes, list[str]] = field(default_factory=dict)

    def add(self, base_id: str, org: str, ts: int, line: int, fields: Fields) -> None:
        by = grouping(fields, self.correlation.names_for(base_id))
        payload = payload_of(self.correlation, base_id)(fields)
        if by is None or payload is None:
            return
        record = ts.to_bytes(TIME_BYTES) + line.to_bytes(ID_BYTES - TIME_BYTES) + payload
        if self.carries:
            names = self.correlation.resolved(self.carries, base_id)
            found = [text for name in names for text in grouping(fields, (name,)) or ("",)]
            record += (name := carried_name(found))
            self.carried[name] = found
        self.groups[(org, *by)].add(record)

    @property
    def lines(self) -> tuple[int, ...]:
        """All that count."""
        return tuple(sorted({_line(record) for records in self.groups.values() for record in records}))

    def hits(self) -> Iterator[Hit]:
        """Each event that is a hit, group by group."""
        known: tuple[Entries, list[int]] | None = None
        for key, entries, low, high, now, size in self._windows():
            if known is None or known[0] is not entries:
                known = entries, [_line(record) for record in entries.between(0, len(entries))]
            lines = known[1]
            for line in dict.fromkeys(lines[entries.after(now - 1) : high]):
                yield Hit(line, key[0], key[1:], size, lines, low, high)

    def found(self) -> Iterator[tuple[str, int, int, Fields]]:
        """(organisation, time, line, fields) of each hit, as a correlation of this one sees it."""
        for key, entries, _, high, now, _ in self._windows():
            for record in entries.between(entries.after(now - 1), high):
                fields = values_of(self.correlation.group_by, key[1:])
                if self.carries:
                    carried = values_of(self.carries, self.carried[record[-CARRIED_BYTES:]])
                    fields |= {name: value for name, value in carried.items() if value}
                yield key[0], now, _line(record), fields

    def _windows(self) -> Iterator[tuple[_Group, Entries, int, int, int, float]]:
        """The windows of hits: group, its entries, the indexes between which they lie, the time of the hit, and what they come to."""
        width = ID_BYTES + payload_bytes(self.correlation) + (CARRIED_BYTES if self.carries else 0)
        for key, records in self.groups.items():
            asked = self.terms.of(key[0]).correlation
            entries = Entries(width, b"".join(sorted(records)))
            if self.correlation.type == "absence":
                for now, high in absences(entries, 0, END_OF_TIME, asked.timespan_ms):
                    yield key, entries, entries.after(now - 1), high, now, 0
                continue
            slide = Slide(asked, entries, 0)
            while slide.step(END_OF_TIME):
                if slide.holds:
                    yield key, entries, slide.low, slide.high, slide.now, slide.size


class Sweeps:
    """All correlations of a set of rules: `add` what their base rules find, then go through them, children before parents."""

    def __init__(self, ruleset: RuleSet, bounds: BoundsOf | None = None) -> None:
        ordered = in_order(ruleset.rules)
        carries = carried(ordered)
        self._all = [
            Sweep(
                rule,
                rule.correlation,
                carries[rule.id],
                TermsOf(rule.correlation, (bounds or {}).get(rule.id, NOTHING)),
            )
            for rule in ordered
            if rule.correlation is not None
        ]
        self._feeds: dict[str, list[Sweep]] = defaultdict(list)
        for sweep in self._all:
            for base in sweep.correlation.rules:
                self._feeds[base].append(sweep)

    def add(self, rule_id: str, org: str, ts: int, line: int, fields: Fields) -> None:
        """`rule_id` found the event of this line."""
        for sweep in self._feeds.get(rule_id, ()):
            sweep.add(rule_id, org, ts, line, fields)

    def __iter__(self) -> Iterator[Sweep]:
        """Each correlation with all that counts towards it."""
        for sweep in self._all:
            yield sweep
            if sweep.rule.id in self._feeds:
                for org, ts, line, fields in sweep.found():
                    self.add(sweep.rule.id, org, ts, line, fields)


def _line(record: bytes) -> int:
    return int.from_bytes(record[TIME_BYTES:ID_BYTES])
