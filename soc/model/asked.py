"""How much a correlation asks for and within which time: what its text says, and what people may lay down in its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil, floor, isfinite

from soc.errors import ConfigError

MOST_EVENTS = 10_000  # that a group keeps: a count beyond it is never reached
LARGEST = 1 << 53  # as a rule may ask for
LONGEST_S = 31 * 86_400
_COUNTS = ("event_count", "value_count")
_RULES = ("temporal", "temporal_ordered")
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Bounds:
    """None: as the rule's text says."""

    threshold: float | None = None
    timespan_s: int | None = None

    @property
    def set(self) -> bool:
        return self != Bounds()


# Rule id -> organisation (empty: all that have none of their own) -> what is laid down there.
BoundsOf = Mapping[str, Mapping[str, Bounds]]


@dataclass(frozen=True, slots=True)
class Asked:
    """`compares`: `gt`, `gte`, `lt`, `lte`, `eq` or `neq`, with `threshold`; empty where the rule asks for no single number. `rules`: how
    many it is made of."""

    type: str
    compares: str
    threshold: float
    timespan_s: int
    rules: int

    def at_least(self, threshold: float) -> int:
        """The least number of events that it takes with this threshold."""
        return at_least(self.type, [(self.compares, threshold)])

    def check(self, bounds: Bounds) -> None:
        """Raises `ConfigError` with the reason where it cannot be asked for that."""
        if bounds.threshold is not None:
            self._check_threshold(bounds.threshold)
        if bounds.timespan_s is not None and not 1 <= bounds.timespan_s <= max(LONGEST_S, self.timespan_s):
            raise ConfigError(f"a window has 1 to {LONGEST_S} seconds (31 days)")

    def _check_threshold(self, threshold: float) -> None:
        if not self.compares:
            raise ConfigError(f"this rule ({self.type}) asks for no single number: it has no threshold to be set")
        if not isfinite(threshold) or abs(threshold) > LARGEST:
            raise ConfigError(f"a threshold is a number of at most {LARGEST}")
        most = MOST_EVENTS if self.type in _COUNTS else self.rules if self.type in _RULES else None
        if most is not None and not (threshold == int(threshold) and 0 <= threshold <= most):
            raise ConfigError(f"the threshold of this rule ({self.type}) is a whole number of 0 to {most}")


def at_least(type_: str, asks: Iterable[tuple[str, float]]) -> int:
    """The least number of events of which all these comparisons can hold."""
    if type_ not in (*_COUNTS, *_RULES):
        return 1
    lowest = [floor(number) + 1 if op == "gt" else ceil(number) for op, number in asks if op in ("gt", "gte", "eq")]
    return max([1, *lowest])


def number(text: str) -> float | None:
    """What people write as a threshold; None for nothing. Raises `ConfigError`."""
    try:
        return (int(text) if text.strip().lstrip("-").isdigit() else float(text)) if text.strip() else None
    except ValueError:
        raise ConfigError(f"a threshold is a number such as 20 or 0.5, not {text[:40]!r}") from None


def seconds(text: str) -> int | None:
    """What people write as a window (`90s`, `10m`, `2h`, `1d`); None for nothing. Raises `ConfigError`."""
    text = text.strip().lower()
    if not text:
        return None
    if len(text) > 1 and text[-1] in _UNITS_S and text[:-1].isascii() and text[:-1].isdigit():
        return int(text[:-1]) * _UNITS_S[text[-1]]
    raise ConfigError(f"a window is a number with a unit, such as 90s, 10m, 2h or 1d, not {text[:40]!r}")


def written(timespan_s: int) -> str:
    """As `seconds` reads it."""
    unit = next(unit for unit in "dhms" if timespan_s % _UNITS_S[unit] == 0)
    return f"{timespan_s // _UNITS_S[unit]}{unit}"
