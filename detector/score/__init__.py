"""Scoring of time series: what each point should have been, and how surprising it is. One pass, no labels, no look ahead."""

from detector.score.point import Kind, Point
from detector.score.scorer import Scorer

__all__ = ["Kind", "Point", "Scorer"]
