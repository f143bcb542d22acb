"""What the engine tells the ledger: how much each rule was put before, and what came to nothing on the way to a rule."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter

from soc.model.event import Stored
from soc.model.ledger import NOBODY, Account

_ORG_AND_DATASET = itemgetter(Stored._fields.index("org"), Stored._fields.index("dataset"))


class Tally:
    """Counts until it is `taken`, which is at each commit. `parents`: rule -> the correlations made of it, all that run."""

    def __init__(self) -> None:
        self._names: dict[frozenset[str], str] = {}
        self._rules: dict[str, tuple[str, ...]] = {}
        self._stale = False  # names of rules that ran before are still known
        self.clear()

    def clear(self) -> None:
        """Nothing of it has happened."""
        self._seen: Counter[tuple[str, str]] = Counter()
        self.short: Counter[tuple[str, str, str]] = Counter()

    def batch(self, stored: Sequence[Stored], audience: Callable[[str], str]) -> None:
        """These events are put before the rules. `audience`: dataset -> name. An event without a time is a dead letter: its fields are
        unknown, and no rule sees it."""
        undated = [one for one in stored if not one.ts]
        for (org, dataset), number in Counter(map(_ORG_AND_DATASET, stored)).items():
            self._seen[audience(dataset), org] += number
        for one in undated:
            self.moved(audience(one.dataset), NOBODY, one.org)

    def moved(self, counted: str, audience: str, org: str) -> None:
        """One event was put before other rules than its dataset says."""
        if counted != audience:
            self._seen[counted, org] -= 1
            self._seen[audience, org] += 1

    def name(self, rules: frozenset[str], parents: Callable[[frozenset[str]], Iterable[str]]) -> str:
        """What the audience of these rules is called. Correlations hear of what the rules hear that they are made of."""
        found = self._names.get(rules)
        if found is None:
            everyone = tuple(sorted(rules.union(parents(rules))))
            found = hashlib.blake2b("\0".join(everyone).encode(), digest_size=8).hexdigest()
            self._names[rules], self._rules[found] = found, everyone
        return found

    def regroup(self) -> None:
        """Other rules run from now on; what was counted keeps the audience that it had."""
        self._names.clear()
        self._stale = True

    def taken(self) -> Account:
        seen = {key: number for key, number in self._seen.items() if number}
        names = {name for name, _ in seen}
        account = Account(seen, {name: self._rules[name] for name in names if name != NOBODY}, dict(self.short))
        self.clear()
        if self._stale:
            self._rules = {name: self._rules[name] for name in self._names.values()}
            self._stale = False
        return account
