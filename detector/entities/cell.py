"""Cells: what a count has been so far, and how surprising another count is.

A cell is a list of three numbers: how many buckets, the sum of the square roots of their counts, and of the counts themselves. The square
root makes the variance of a count nearly constant (Anscombe 1948), so one rule fits an account with 3 events and a gateway with 30,000.

Old buckets weigh less. Rather than shrink every number each day, new ones are added with a weight that doubles each half-life (forward
decay, Cormode et al. 2009); what is read is divided by the weight of now.
"""

from __future__ import annotations

from math import log1p, sqrt

Cell = list[float]
_POISSON = 0.25  # the variance of the square root of a Poisson count
_PRIOR = 4.0  # peers weigh as much as so many own buckets
_LEAST_DF, _MOST_DF = 3.0, 24.0  # tails stay heavy however long the history is: habits are not Gaussian
_LEAST_STEP = 3.0  # counts, and ...
_LEAST_RATIO = 1.4  # ... how many times the expected one before a count is worth a word


def add(cell: Cell, count: float, weight: float) -> None:
    cell[0] += weight
    cell[1] += weight * sqrt(count)
    cell[2] += weight * count


def mean(cell: Cell) -> float:
    """The typical count, on the scale of counts; 0 for a cell that has seen nothing."""
    return (cell[1] / cell[0]) ** 2 if cell[0] else 0.0


def above(count: float, own: Cell, peers: Cell, weight: float) -> tuple[float, float]:
    """How surprising so high a count is (nats, 0 for nothing), and what was expected, given own buckets and those of peers.

    One-sided: the tail of a Student t of the square roots, about a mean and variance that lean on the peers while there are few own ones.
    """
    own_n, peer_n = own[0] / weight, peers[0]
    if not peer_n and own_n < 1:
        return 0.0, 0.0
    peer_mean = peers[1] / peer_n if peer_n else own[1] / own[0]
    peer_var = max(peers[2] / peer_n - peer_mean * peer_mean, 0.0) if peer_n else 1.0
    own_mean = own[1] / own[0] if own[0] else peer_mean
    n = own_n + _PRIOR
    # Peers tell little about the level of one entity, so their share of it falls faster than their share of the variance.
    level = (own_n * own_mean + _LEVEL_PRIOR * peer_mean) / (own_n + _LEVEL_PRIOR)
    expected = level * level
    if count < expected + _LEAST_STEP or count < expected * _LEAST_RATIO:
        return 0.0, expected
    own_var = max(own[2] / own[0] - own_mean * own_mean, 0.0) if own[0] else 0.0
    spread = (own_n * own_var + _PRIOR * peer_var + _LEVEL_PRIOR * (own_mean - peer_mean) ** 2 / n) / n
    t2 = (sqrt(count) - level) ** 2 / (spread + _POISSON)
    df = min(max(n - 1, _LEAST_DF), _MOST_DF)
    return 0.5 * (df + 1) * log1p(t2 / df), expected


_LEVEL_PRIOR = 1.0
