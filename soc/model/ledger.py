"""The ledger: for each rule, organisation and minute what became of what it found, and for each hour how much it saw.

It tells why a rule did not fire. Times are those of the detector's clock when it did the work, not of the events; ms since 1970.
What a rule sees is counted by *audience*: the rules that events of one log source are put before. So a batch costs a few counters,
however many rules there are, and still each rule has its own count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field, fields

from soc.model.calendar import HOUR_MS
from soc.model.canary import is_canary

MINUTE_MS = 60_000
MINUTES_KEPT_DAYS = 14
NOBODY = ""  # the audience of events that no rule is put before: dead letters without a time


@dataclass(slots=True)
class Deeds:
    """What a rule did, in numbers of findings.

    `matched`: its condition held. Of these: `folded` into alerts; `hidden` by exceptions; `off`: the rule does not run for that
    organisation; the others were for correlations alone. Of what correlations were given: `unfit`: it lacks the field to group by or to
    look at; `capped`: forgotten or left out because a bound bit; `late`: it came after the allowed lateness. `failed`: the rule raised.
    """

    matched: int = 0
    folded: int = 0
    hidden: int = 0
    off: int = 0
    unfit: int = 0
    capped: int = 0
    late: int = 0
    failed: int = 0

    def __iadd__(self, other: Deeds) -> Deeds:
        for name in DEEDS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    def __bool__(self) -> bool:
        return any(astuple(self))


DEEDS = tuple(one.name for one in fields(Deeds))


@dataclass(frozen=True, slots=True)
class Account:
    """What a rule engine has to tell of one batch. `seen`: (audience, organisation) -> events. `audiences`: the rules of each of them.
    `short`: (rule, organisation, which of `DEEDS`) -> findings that came to nothing there; organisation `` where it is not known."""

    seen: Mapping[tuple[str, str], int] = field(default_factory=dict)
    audiences: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    short: Mapping[tuple[str, str, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entries:
    """What one commit adds to the ledger. `deeds`: by rule and organisation; the others as in `Account`."""

    deeds: Mapping[tuple[str, str], Deeds] = field(default_factory=dict)
    seen: Mapping[tuple[str, str], int] = field(default_factory=dict)
    audiences: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.deeds or self.seen)


@dataclass(frozen=True, slots=True)
class Line:
    """One rule in one minute or hour (`span`, ms) from `at` on, the organisations of a scope together. `seen`: None in minutes."""

    at: int
    span: int
    deeds: Deeds
    seen: int | None = None


@dataclass(slots=True)
class Total:
    """One rule since some time. `last_match` and `last_run`: beginning of the last hour in which it matched or saw an event."""

    deeds: Deeds = field(default_factory=Deeds)
    seen: int = 0
    last_match: int | None = None
    last_run: int | None = None


def entries(
    account: Account,
    matched: Iterable[tuple[str, str]],
    folded: Iterable[tuple[str, str]],
    hidden: Iterable[tuple[str, str, int]],
    passed: Iterable[tuple[str, str]],
) -> Entries:
    """The ledger of one batch. Of findings, each as (rule, organisation): `matched` are all, `folded` those that are stored, `passed`
    those that only feed correlations; `hidden` with their number. Canaries are in no figure."""
    deeds: dict[tuple[str, str], Deeds] = {}
    counts = Counter(matched), Counter(folded), Counter(passed)
    hid: Counter[tuple[str, str]] = Counter()
    for rule, org, number in hidden:
        hid[rule, org] += number
    for key, number in counts[0].items():
        one = Deeds(number, counts[1][key], hid[key])
        one.off = max(0, number - one.folded - one.hidden - counts[2][key])
        deeds[key] = one
    for (rule, org, what), number in account.short.items():
        one = deeds.setdefault((rule, org), Deeds())
        setattr(one, what, getattr(one, what) + number)
    real = {key: one for key, one in deeds.items() if not is_canary(key[1])}
    seen = {key: number for key, number in account.seen.items() if not is_canary(key[1])}
    return Entries(real, seen, account.audiences if seen else {})


def hours(lines: Iterable[Line], seen: Mapping[int, int]) -> list[Line]:
    """Lines of hours, with what was seen in each; hours in which it only saw something have one, too. Oldest first."""
    known = {line.at: line.deeds for line in lines}
    return [Line(at, HOUR_MS, known.get(at, Deeds()), seen.get(at, 0)) for at in sorted(known.keys() | seen.keys())]
