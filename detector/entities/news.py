"""News: what of a surprising bucket has not been shown yet, of this entity or of others."""

from __future__ import annotations

from collections.abc import Sequence

from detector.entities.budget import LEAST
from detector.entities.episode import QUIET_MS, Episode
from detector.entities.family import summed, together
from detector.entities.item import Item, Kind, Why
from detector.entities.profile import Activity
from detector.entities.tail import Tails
from soc.model.harmless import NOTABLE

_SUSPECT = 0.5  # of how far an episode was above what is shown is added to what is new in it: two steps of one attack
_TOLD = 0.5
_TELLINGS = 1000  # values that are remembered as told, the newest
_NOTED = 12  # reasons of an item, beside which each that is notable alone is kept: what people say is harmless must not hide it


class News:
    """`episodes`: of each entity of which something was shown lately. `told`: field and value -> how many items have named it as rare."""

    def __init__(self, field: str, bucket_ms: int, families: Tails) -> None:
        """`families`: of what is usual to surprise, ready for the bucket at hand."""
        self._field, self._bucket_ms, self._families = field, bucket_ms, families
        self.episodes: dict[str, Episode] = {}
        self.told: dict[str, int] = {}

    def item(self, entity: str, activity: Activity, whys: list[Why], sums: Sequence[float], start: int) -> Item | None:
        """What would be shown of a bucket, if there is budget for it."""
        last = start + self._bucket_ms - 1
        episode = self.episodes.get(entity)
        if episode is not None:
            if start - episode.until > QUIET_MS:
                del self.episodes[entity]
                episode = None
            else:
                if self._total(sums) >= LEAST:  # it goes on, shown or not
                    episode.until = last
                whys, sums = episode.news(whys)
        whys, sums = self._untold(whys, sums) if episode is None else (whys, sums)
        if not whys:
            return None
        since = episode.since if episode is not None else activity.since
        total = self._total(sums)
        if episode is not None:
            total += min(_SUSPECT * episode.excess, total / 2)
        return Item(last, since, self._field, entity, 0.0, total, activity.events, _noted(whys))

    def show(self, item: Item) -> None:
        """It is old from now on."""
        for why in item.why:
            if why.kind is Kind.RARE:
                self.told[_named(why)] = self.told.pop(_named(why), 0) + 1
        while len(self.told) > _TELLINGS:
            del self.told[next(iter(self.told))]
        episode = self.episodes.setdefault(item.entity, Episode(item.since))
        episode.until = item.time
        episode.excess = max(episode.excess, item.strength * (2 - 1 / item.score))
        episode.show(item.why)

    def go_back_to(self, ts: int) -> None:
        """Episodes of a time that never was are over."""
        self.episodes = {entity: one for entity, one in self.episodes.items() if one.until <= ts}

    def _total(self, sums: Sequence[float]) -> float:
        return together([self._families.level(at, some) for at, some in enumerate(sums) if some])

    def _untold(self, whys: list[Why], sums: Sequence[float]) -> tuple[list[Why], Sequence[float]]:
        """A rare value that items of others have named, such as new software, is half the news each time."""
        parts = [_TOLD ** self.told.get(_named(why), 0) if why.kind is Kind.RARE else 1.0 for why in whys]
        if min(parts, default=1.0) == 1.0:
            return whys, sums
        left = sorted(zip(parts, whys, strict=True), key=lambda pair: (-pair[0] * pair[1].surprise, pair[1].feature))
        return [why for _, why in left], summed([why for _, why in left], [part for part, _ in left])


def _noted(whys: Sequence[Why]) -> tuple[Why, ...]:
    return tuple(why for at, why in enumerate(whys) if at < _NOTED or why.surprise >= NOTABLE)


def _named(why: Why) -> str:
    return f"{why.field}\0{why.value}"
