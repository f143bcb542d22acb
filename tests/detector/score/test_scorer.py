from __future__ import annotations

import random
from zoneinfo import ZoneInfo

import pytest

from detector.score import Kind, Point, Scorer
from soc.errors import ConfigError

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
START = 1_700_000_000_000


def _walk(scorer: Scorer, values: list[float], start: int = START) -> list[Point]:
    return [scorer.step(start + 60_000 * at, value) for at, value in enumerate(values)]


@pytest.mark.parametrize("kind", list(Kind))
def test_a_scorer_that_was_put_away_scores_on_to_the_last_bit(kind: Kind) -> None:
    chance = random.Random(1)
    values = [abs(chance.gauss(0.5, 0.1)) for _ in range(4_000)]
    whole = Scorer(60, kind, VIETNAM, 4)
    expected = _walk(whole, values)
    first = Scorer(60, kind, VIETNAM, 4)
    _walk(first, values[:2_345])
    second = Scorer.load(first.dump(), 60, kind, VIETNAM, 4)
    assert _walk(second, values[2_345:], START + 60_000 * 2_345) == expected[2_345:]
    assert second.dump() == whole.dump()
    assert len(whole.dump()) <= 6_500


def test_a_first_value_of_minus_nothing_is_kept_to_the_last_bit() -> None:
    scorer = Scorer(60, Kind.GAUGE, VIETNAM, 4)
    _walk(scorer, [-1e-175])
    assert Scorer.load(scorer.dump(), 60, Kind.GAUGE, VIETNAM, 4).dump() == scorer.dump()


def test_damaged_states_and_those_of_other_series_are_refused() -> None:
    scorer = Scorer(60, Kind.COUNT, VIETNAM, 4)
    _walk(scorer, [float(n % 7) for n in range(100)])
    data = scorer.dump()
    damaged = bytearray(data)
    damaged[200] ^= 1
    with pytest.raises(ConfigError, match="checksum"):
        Scorer.load(bytes(damaged), 60, Kind.COUNT, VIETNAM, 4)
    with pytest.raises(ConfigError, match="checksum"):
        Scorer.load(data[:-100], 60, Kind.COUNT, VIETNAM, 4)
    with pytest.raises(ConfigError, match="another version"):
        Scorer.load(data, 300, Kind.COUNT, VIETNAM, 4)
    with pytest.raises(ConfigError, match="another version"):
        Scorer.load(b"", 60, Kind.COUNT, VIETNAM, 4)
