"""What faults are made of: a change of the entries of sessions, and the truth about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random

from soc.errors import ConfigError
from soc.simulator.episode import Effect, Episode, Incident
from soc.simulator.line import Entry

_SHOWN = 20  # names in one message
Change = Callable[[Entry], Iterable[Entry]]


def one_of(value: str, of: Iterable[str], rng: Random, what: str, choose: Iterable[str] | None = None) -> str:
    """`value` if it is one of them, one by chance if it is empty. Raises `ConfigError`."""
    known = tuple(of)
    if value and value not in known:
        more = ", ..." if len(known) > _SHOWN else ""
        raise ConfigError(f"{what} {value!r} is unknown: choose one of {', '.join(known[:_SHOWN])}{more}")
    return value or rng.choice(tuple(choose or known))


def each(start: int, end: int, change: Change) -> Callable[[list[Entry]], list[Entry]]:
    """A change of single entries of a session."""
    return lambda entries: [
        new for entry in entries for new in (change(entry) if start <= entry.at < end else (entry,))
    ]


def fault(kind: str, effect: Effect, feature: str, system: str = "", expect: str = "anomaly", **who: str) -> Episode:
    named = {name.replace("__", "."): value for name, value in who.items()}
    stream = min(effect.streams)
    return Episode(Incident(kind, effect.start, effect.end, stream, named, feature, system, expect), effect=effect)
