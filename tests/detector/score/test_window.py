"""What a model of the last values learns, and when it is used."""

from __future__ import annotations

import math
import random
from array import array
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from detector.score import Kind, Scorer
from detector.score.season import DAY_SLOTS
from detector.score.window import _RIDGE, Window, _fitted

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
START = 1_741_000_200_000
GAIN = 0.004
_BAD = array("f", [-0.9, 0.0, 0.0, 0.0, 0.0])


def _learned(keep: float, days: int, rival: float, *, calm: bool = True) -> Window:
    """Values every ten minutes that keep so much of the one before, beside a forecast that misses by `rival` widths."""
    chance, window, x = random.Random(4), Window(600), 0.0
    for slot in range(days * DAY_SLOTS):
        window.turn(slot)
        x = keep * x + math.sqrt(1 - keep * keep) * chance.gauss(0, 1)
        window.off(x, rival, GAIN, calm)
    return window


def test_what_the_value_before_says_is_learned() -> None:
    window = _learned(0.8, 12, rival=1.0)
    assert window.versions > 0
    assert window.leads
    assert window.models[0] > 0.5  # the others share in it
    assert window.width == pytest.approx(0.6, abs=0.12)  # what cannot be known is left


def test_a_model_leads_only_when_it_is_better_by_far() -> None:
    assert not _learned(0.8, 12, rival=0.65).leads  # it misses by 0.6
    assert not _learned(0.0, 12, rival=1.0).leads  # of noise nothing is known


def test_a_model_that_is_worse_stays_in_the_shadow() -> None:
    window = _learned(0.8, 12, rival=1.0)
    model, versions, due = window.models[:5], window.versions, window.due
    window.models[5:] = array("f", [*_BAD, *model])
    window.turn(due)
    assert (window.models[:5], window.versions) == (model, versions)
    assert window.models[5] > 0.5  # and the next one is tried


def test_a_model_in_use_that_turns_out_worse_than_the_one_before_is_rolled_back() -> None:
    window = _learned(0.8, 12, rival=1.0)
    good, due = window.models[:5], window.due
    window.models = array("f", [*_BAD, *[0.0] * 5, *good])
    window.turn(due)
    assert window.models[:5] == good
    assert window.models[10:] == _BAD, "and comes back itself should that have been chance"


def test_a_model_that_gets_worse_than_its_rival_leads_no_more() -> None:
    window = _learned(0.8, 12, rival=1.0)
    for slot in range(12 * DAY_SLOTS, 14 * DAY_SLOTS):
        window.turn(slot)
        window.off((-1.0) ** slot, 0.1, GAIN, True)
    assert not window.leads


def test_nothing_is_learned_of_incidents() -> None:
    window = _learned(0.8, 5, rival=1.0, calm=False)
    assert not any(window.sums)
    assert not window.versions


def test_sums_of_products_have_the_same_least_squares_as_the_rows() -> None:
    rows = np.random.default_rng(8).standard_normal((400, 6)) @ np.random.default_rng(9).standard_normal((6, 6))
    sums = array("f", (rows.T @ rows)[np.triu_indices(6)].tolist())
    plain = Ridge(alpha=_RIDGE * 400, fit_intercept=False).fit(rows[:, :5], rows[:, 5])
    assert _fitted(sums, 400.0).tolist() == pytest.approx(plain.coef_.tolist(), rel=1e-4)


def test_a_series_that_never_moves_has_a_model_that_says_nothing() -> None:
    assert _fitted(array("f", bytes(4 * 21)), 400.0).tolist() == [0.0] * 5


def _scored(days: int, seed: int, start: int = START) -> Scorer:
    chance, scorer = random.Random(seed), Scorer(600, Kind.COUNT, VIETNAM, 4.0)
    for n in range(days * DAY_SLOTS):
        scorer.step(start + n * 600_000, float(chance.randrange(20)))
    return scorer


def test_series_are_fitted_at_times_of_their_own() -> None:
    """Also those whose first values were the same."""
    due = [_scored(2, seed)._window.due % DAY_SLOTS for seed in range(30)]
    assert len(set(due)) > 20


def test_models_are_fitted_on_after_a_clock_that_was_ahead() -> None:
    scorer = _scored(5, 1)
    before = scorer._window.versions
    for n in range(20):
        scorer.step(START + 400 * 86_400_000 + n * 600_000, 3.0)
    chance = random.Random(5)
    for n in range(8 * DAY_SLOTS):
        scorer.step(START + 5 * 86_400_000 + n * 600_000, float(chance.randrange(20)))
    assert scorer._window.due < START / 600_000 + 15 * DAY_SLOTS
    assert any(scorer._window.models[5:10])
    assert scorer._window.versions >= before


def test_who_swings_from_value_to_value_is_expected_to_swing_on() -> None:
    """Holt's forecast would run after it, a whole swing off."""
    chance, scorer = random.Random(2), Scorer(300, Kind.GAUGE, VIETNAM, 4.0)
    misses = []
    for n in range(10 * 288):
        value = 100.0 + (10.0 if n % 2 else -10.0) + chance.gauss(0, 1)
        point = scorer.step(START + n * 300_000, value)
        if n >= 8 * 288:
            misses.append(abs(value - point.expected))
    assert sum(misses) / len(misses) < 3
    missing = scorer.step(START + 10 * 288 * 300_000, None)
    assert missing.expected == pytest.approx(90, abs=4), "also where the value is missing"
    stays = scorer.step(START + (10 * 288 + 1) * 300_000, 110.0)  # as usual for the day, and not after one on its side
    assert stays.level > 2 > stays.season
    assert missing.upper - missing.lower == pytest.approx(stays.upper - stays.lower, rel=0.2)
