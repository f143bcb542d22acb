"""Plans: what happens when, from a file that a person writes or by chance."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import NamedTuple

import yaml

from soc.errors import ConfigError
from soc.simulator.behaviours import BEHAVIOURS, USUAL_HOUR
from soc.simulator.calendar import day_kind
from soc.simulator.episode import Episode, Scene
from soc.simulator.faults import FAULTS
from soc.simulator.incidents import INCIDENTS
from soc.simulator.line import DAY_MS, HOUR_MS, ZONE
from soc.simulator.people import officers

KINDS: dict[str, Callable[..., Episode]] = INCIDENTS | FAULTS | BEHAVIOURS
MAX_BYTES, MAX_ITEMS = 1_000_000, 5_000
_TYPES = {"float": (int, float), "int": (int,), "str": (str,)}
_MOST = {
    "share": 1, "percent": 100, "factor": 100, "days": 3_650, "hours": 1_488, "minutes": 5_256_000, "seconds": 86_400,
    "every_s": 86_400, "down_s": 86_400, "records": 100_000,
}  # fmt: skip
_LEAST = {"every_s": 1.0, "down_s": 1.0, "hours": 0.1, "usual_a_day": 1.0}  # else anything above 0
_MORE = {"officer_reads_many", "otp_late_codes", "lgsp_slow", "portal_slow"}  # kinds whose `factor` is above 1
_ANYBODY = Scene(officers(Random(0), 50))


class Planned(NamedTuple):
    """`at`: its begin in ms; `kind`: a key of `KINDS`; `how`: options of its function."""

    at: int
    kind: str
    how: Mapping[str, object] = MappingProxyType({})


def schedule(start: int, first_after_ms: int, every_ms: int) -> Iterator[tuple[int, str]]:
    """When which kind of loud incident begins, without end: each kind in turn."""
    at = start + first_after_ms
    while True:
        for kind in INCIDENTS:
            yield at, kind
            at += every_ms


def read_plan(path: Path) -> list[Planned]:
    """The plan of a YAML or JSON file: a list of `{at, kind, option: value ...}`, in order of time. Raises `ConfigError`."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path} has more than {MAX_BYTES} bytes: no plan needs as many")
        items = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from error
    except (
        yaml.YAMLError,
        ValueError,
        RecursionError,
    ) as error:  # a ValueError is a date that is none, or text that is not UTF-8
        raise ConfigError(f"{path} is not YAML: {error}") from error
    if not isinstance(items, list) or len(items) > MAX_ITEMS:
        raise ConfigError(f"{path}: a plan is a list of at most {MAX_ITEMS} items, each with `at` and `kind`")
    planned = [_planned(item, f"{path}, item {number}") for number, item in enumerate(items, 1)]
    return sorted(planned, key=lambda item: item.at)


def _planned(item: object, where: str) -> Planned:
    if not isinstance(item, dict) or not {"at", "kind"} <= item.keys():
        raise ConfigError(f"{where}: it needs `at` (2026-03-05T09:00:00) and `kind`")
    how = {str(name): value for name, value in item.items() if name not in ("at", "kind")}
    make = KINDS.get(str(item["kind"]))
    if make is None:
        raise ConfigError(f"{where}: kind {item['kind']!r} is unknown: choose one of {', '.join(sorted(KINDS))}")
    known = {
        name: str(option.annotation)
        for name, option in inspect.signature(make).parameters.items()
        if option.kind is inspect.Parameter.KEYWORD_ONLY
    }
    for name, value in how.items():
        if name not in known:
            raise ConfigError(f"{where}: {item['kind']} has no option {name!r}: {', '.join(known) or 'it has none'}")
        if isinstance(value, bool) or not isinstance(value, _TYPES[known[name]]):
            raise ConfigError(f"{where}: {name} of {item['kind']} is {known[name]}, not {value!r}")
        if not isinstance(value, str):
            _in_bounds(str(item["kind"]), name, value, where)
    planned = Planned(_ms(item["at"], where), str(item["kind"]), how)
    try:  # names of carriers, providers and such are known by what is made of them alone
        make(planned.at, Random(0), _ANYBODY, **how)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    except (ValueError, IndexError, ArithmeticError) as error:
        raise ConfigError(f"{where}: {planned.kind} cannot be made with these options: {error}") from None
    return planned


def _in_bounds(kind: str, name: str, value: float, where: str) -> None:
    most, size = _MOST.get(name, 10_000), abs(value) if name == "seconds" else value
    if name == "factor" and kind in _MORE:
        if not 1 < size <= most:
            raise ConfigError(
                f"{where}: factor of {kind} is a number above 1 and up to {most:,}: it means more than usual"
            )
    elif not (_LEAST[name] <= size <= most if name in _LEAST else 0 < size <= most):
        least = f"from {_LEAST[name]:g}" if name in _LEAST else "above 0"
        raise ConfigError(f"{where}: {name} of {kind} is a number {least} and up to {most:,}")


def _ms(value: object, where: str) -> int:
    try:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise ConfigError(f"{where}: at {str(value)!r} is not a time: write it like 2026-03-05T09:00:00") from None
    return int((at if at.tzinfo else at.replace(tzinfo=ZONE)).timestamp() * 1000)


# Kinds that happen by chance, with how many hours each component is left alone afterwards.
_LANES = (
    ("otp_loss", "otp_late_codes", "otp_verify_failures"),
    ("lgsp_slow", "lgsp_timeouts", "lgsp_certificate", "lgsp_quota", "lgsp_link_flaps", "lgsp_duplicates"),
    ("portal_errors", "portal_slow", "procedure_errors"),
    tuple(BEHAVIOURS),
)


def draw(seed: int, start: int, end: int, learning_days: float = 14) -> list[Planned]:
    """Faults and misuse by chance in working hours after the time of learning (at most half of it all), about one a component and day."""
    quiet = start + int(min(learning_days * DAY_MS, (end - start) / 2))
    planned: list[Planned] = []
    for number, lane in enumerate(_LANES):
        rng = Random(f"{seed}/plan/{number}")
        kinds: list[str] = []
        for midnight in range(_midnight(quiet), end, DAY_MS):
            kinds = kinds or rng.sample(lane, len(lane))
            if day_kind(_day(midnight)) not in ("workday", "makeup") or rng.random() < 0.25:
                continue
            kind = kinds.pop()
            hour = USUAL_HOUR.get(kind, 8) * 60 + rng.randrange(30 if kind in USUAL_HOUR else 7 * 60)
            at = midnight + hour * HOUR_MS // 60
            if quiet <= at < end - HOUR_MS:
                planned.append(Planned(at, kind))
    return sorted(planned, key=lambda item: item.at)


def _midnight(at: int) -> int:
    local = datetime.fromtimestamp(at / 1000, ZONE)
    return int(local.replace(hour=0, minute=0, second=0, microsecond=0).timestamp() * 1000)


def _day(at: int) -> date:
    return datetime.fromtimestamp(at / 1000, ZONE).date()
