"""What something out of the ordinary is made of: the truth about it, the entries it adds, what it does to those of others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from soc.errors import ConfigError
from soc.simulator.line import Entry, as_json, iso
from soc.simulator.people import Officer


@dataclass(frozen=True, slots=True)
class Incident:
    """The truth about one incident. `start` and `end` in ms; `who` names what it is about by ECS field names.

    `feature`: what of the component leaves its habit, such as `otp.delivery_ratio`. `expect`: what a detector should make of it:
    `anomaly`; `none` for what was announced or is only a change of names; `silent` for a source that says nothing.
    """

    kind: str
    start: int
    end: int
    stream: str
    who: dict[str, str]
    feature: str = ""
    system: str = ""
    expect: str = "anomaly"
    org: str = ""

    @property
    def component(self) -> str:
        return _COMPONENTS[self.stream]

    def as_json(self) -> str:
        return as_json(
            {
                "kind": self.kind, "start": iso(self.start), "end": iso(self.end), "stream": self.stream,
                "component": self.component, "system": self.system or self.component, "org": self.org or None,
                "feature": self.feature or None, "expect": self.expect, **self.who,
            }
        )  # fmt: skip


_COMPONENTS = {
    "nginx.access": "portal", "nginx.error": "portal", "otp.gateway": "otp", "lgsp.gateway": "lgsp", "linux.auth": "servers",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Effect:
    """A change of entries of `streams` between `start` and `end` (ms).

    `change` is given all entries of one session and returns what is written instead; none of them is earlier than before.
    """

    start: int
    end: int
    streams: frozenset[str]
    change: Callable[[list[Entry]], list[Entry]]

    def touches(self, entries: list[Entry]) -> bool:
        return (
            entries[0].stream in self.streams
            and self.start <= max(entries[0].at, entries[-1].at)
            and entries[0].at < self.end
        )


@dataclass(frozen=True, slots=True)
class Episode:
    """An incident with the entries that it adds, what it does to others, and how many times as many sessions there are of a name."""

    incident: Incident
    entries: list[Entry] = field(default_factory=list)
    effect: Effect | None = None
    volume: Mapping[str, float] = field(default_factory=dict)


class Scene(NamedTuple):
    """Whom an incident can be about."""

    officers: tuple[Officer, ...]


def episode(
    kind: str, entries: list[Entry], feature: str = "", system: str = "", effect: Effect | None = None, **who: str
) -> Episode:
    """Of an incident that is what these entries say. `who`: ECS names with `__` for the dots. Raises `ConfigError` without any."""
    if not entries:
        raise ConfigError(f"{kind} with these options is nothing at all")
    named = {name.replace("__", "."): value for name, value in who.items()}
    last = max(entry.at for entry in entries)
    return Episode(Incident(kind, entries[0].at, last, entries[0].stream, named, feature, system), entries, effect)


def times(at: int, rng: Random, count: int, every_ms: float) -> Iterator[int]:
    """`count` moments from `at` on, about `every_ms` apart."""
    for _ in range(count):
        yield at
        at += max(1, int(rng.uniform(0.5, 1.5) * every_ms))
