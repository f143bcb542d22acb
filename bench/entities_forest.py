"""Whether an IsolationForest finds what `soc entities` does not: alone, and together with it, on the same features and the same budget.

The forest has what the profiles count of a bucket: events, distinct, fresh and sequential values, the day so far, failures, the hour;
each as it is and against the entity's own mean, standardised within its peer group. It is fitted anew each night on the last seven
days, and scored in one batch when a bucket closes. Its score becomes nats by its rank among those that it was fitted on.

python -m bench entities_forest; python -m bench.entities_forest 1 2 3 4 (seeds below 100 are for trying)
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from math import cos, log, log1p, pi, sin

import numpy as np
from sklearn.ensemble import IsolationForest

from bench.entities import WHAT, Outcome, Shown
from bench.organisation import Organisation
from detector.entities.budget import DAY_MS, LEAST, Budget
from detector.entities.item import Item, Kind, Why
from detector.entities.learn import Judged, Learner
from detector.entities.profile import Activity, Profile
from detector.entities.profiles import Profiles
from detector.entities.stream import Kind as Entity
from detector.entities.stream import Stream
from detector.entities.surprise import Raw

TRIED = (1, 2, 3, 4)
_BUCKET_MS, _PER_DAY = 900_000, 10
_DAYS, _MOST_ROWS = 7, 20_000
_QUIET_MS = 4 * 3_600_000  # as an episode of ours
_SHARE = 0.5  # of the forest's nats that is added to ours, as of a further family of features
_OUTCOME = WHAT.index("event.outcome")
Row = tuple[int, list[float]]  # peer group, features


class Forest:
    """Fitted on whole days, scored a bucket at a time."""

    def __init__(self) -> None:
        self._days: list[list[Row]] = []
        self._today: list[Row] = []
        self._model: IsolationForest | None = None
        self._usual: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._ranks = np.zeros(0)

    def night(self) -> None:
        self._days = [*self._days, self._today][-_DAYS:]
        self._today = []
        rows = [row for day in self._days for row in day]
        rows = rows[:: max(len(rows) // _MOST_ROWS, 1)]
        if len(rows) < 500:
            return
        every = np.array([numbers for _, numbers in rows])
        groups = np.array([group for group, _ in rows])
        self._usual = {-1: (every.mean(axis=0), every.std(axis=0) + 0.1)}
        for group in set(groups.tolist()):
            own = every[groups == group]
            if len(own) >= 200:
                self._usual[group] = own.mean(axis=0), own.std(axis=0) + 0.1
        table = self._standard(rows)
        self._model = IsolationForest(n_estimators=100, random_state=0).fit(table)
        self._ranks = np.sort(self._model.score_samples(table))

    def nats(self, rows: Sequence[Row]) -> list[float]:
        """Of each, how rarely one stands out as much."""
        self._today += rows
        if self._model is None or not rows:
            return [0.0] * len(rows)
        scores = self._model.score_samples(self._standard(rows))
        ranks = np.searchsorted(self._ranks, scores, side="right") + 0.5
        beyond = np.maximum(self._ranks[0] - scores, 0.0) * 50  # more than all that was seen: a little more
        found: list[float] = (-np.log(ranks / (len(self._ranks) + 1)) + beyond).tolist()
        return found

    def _standard(self, rows: Sequence[Row]) -> np.ndarray:
        usual = [self._usual.get(group, self._usual[-1]) for group, _ in rows]
        numbers = np.array([row for _, row in rows])
        table: np.ndarray = (numbers - np.array([mean for mean, _ in usual])) / np.array([sd for _, sd in usual])
        return table


class Chooser(Budget):
    """The usual budget, of items that the forest has a say in. `alone`: it has the only one."""

    def __init__(self, alone: bool) -> None:
        super().__init__(_PER_DAY)
        self._alone = alone
        self._forest = Forest()
        self.rows: dict[str, Row] = {}
        self._shown_at: dict[str, int] = {}
        self._at = -1

    def choose(self, items: Sequence[Item], time: int, *, learning: bool = False) -> list[Item]:
        if time // DAY_MS != self._at:
            self._at = time // DAY_MS
            self._forest.night()
        nats = dict(zip(self.rows, self._forest.nats([*self.rows.values()]), strict=True))
        self.rows = {}
        if not self._alone:
            told = [
                Item(one.time, one.since, one.field, one.entity, 0.0, _both(one.strength, nats[one.entity]), one.events, one.why)
                for one in items
            ]  # fmt: skip
            return super().choose(told, time, learning=learning)
        why = (Why(Kind.EVENTS, "", "", 0.0, 0.0, 0.0, 0.0),)
        alone = [
            Item(time, time, "user.id", entity, 0.0, strength, 0, why)
            for entity, strength in nats.items()
            if strength >= LEAST and time - self._shown_at.get(entity, -_QUIET_MS) >= _QUIET_MS
        ]
        shown = super().choose(alone, time, learning=learning)
        self._shown_at.update({one.entity: time for one in shown})
        return shown


def _both(ours: float, forest: float) -> float:
    return max(ours, forest) + _SHARE * min(ours, forest)


class Watched(Profiles):
    """Tells the chooser what it has counted."""

    def _surprises(
        self, profile: Profile, activity: Activity, learner: Learner, start: int
    ) -> tuple[list[Raw], Judged]:
        raws, judged = super()._surprises(profile, activity, learner, start)
        own, hour = profile.habits, learner.hour % 24 / 24 * 2 * pi
        failures = activity.counts[_OUTCOME].get("failure", 0) / activity.events
        means = [(root / own.buckets) ** 2 if own.buckets else 0.0 for root, _ in own.sums]
        numbers = [log1p(count) for count in judged.numbers]
        against = [log((count + 0.5) / (mean + 0.5)) for count, mean in zip(judged.numbers, means, strict=True)]
        today = [log1p(profile.today.events), *map(log1p, profile.today.distinct)]
        name = self._names[id(activity)]
        assert isinstance(self.budget, Chooser)
        weekend = float(learner.slot >= 24)
        self.budget.rows[name] = (
            profile.group,
            [*numbers, *against, *today, failures, sin(hour), cos(hour), weekend],
        )
        return raws, judged

    def _close(self, start: int, bucket: dict[str, Activity]) -> list[Item]:
        self._names = {id(activity): entity for entity, activity in bucket.items()}
        return super()._close(start, bucket)


def shown(events: Iterable[dict[str, object]], profiles: Profiles) -> list[Shown]:
    stream = Stream([Entity("user.id")], [profiles])
    items = [item for event in events for item in stream.feed(event)]
    items += stream.end()
    return [(item.time // _BUCKET_MS, item.entity, tuple(why.feature for why in item.why)) for item in items]


def main(seeds: Sequence[int] = TRIED) -> list[tuple[str, str]]:
    outcomes = {"ours": Outcome(), "forest alone": Outcome(), "both": Outcome()}
    for seed in seeds:
        org = Organisation(seed)
        events = [event for _, event, _ in org.run()]
        for name, outcome in outcomes.items():
            budget = Budget(_PER_DAY) if name == "ours" else Chooser(name != "both")
            kind = Profiles if name == "ours" else Watched
            outcome.add("user.id", org, shown(events, kind("user.id", WHAT, budget, bucket_ms=_BUCKET_MS)))
    return [("seeds", ", ".join(map(str, seeds))), *((name, outcome.row()) for name, outcome in outcomes.items())]


if __name__ == "__main__":
    for what, figure in main(tuple(map(int, sys.argv[1:])) or TRIED):
        print(f"{what:62} {figure}")
