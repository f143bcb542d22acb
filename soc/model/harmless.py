"""What people said about anomalies of a series: so far off is harmless. A policy a series, so it is listed and can be withdrawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from soc.errors import ConfigError
from soc.model.policy import Policy

_MARGIN = 1.1
MOST = 1e6


@dataclass(frozen=True, slots=True)
class Harmless:
    """`strength`: how far off the series may be (in widths of its band) without a call. `alert`: what the verdict was about."""

    series: str
    definition: str
    org: str
    strength: float
    alert: str


def beyond(strength: float) -> float:
    """What is to be called from now on, where this was harmless."""
    return min(round(strength * _MARGIN, 2), MOST)


def body_of(one: Harmless) -> Mapping[str, object]:
    return {"definition": one.definition, "org": one.org, "strength": one.strength, "alert": one.alert}


def harmless_of(policy: Policy) -> Harmless:
    """Raises `ConfigError` for a body that says something else."""
    body = policy.body or {}
    strength = body.get("strength")
    if not isinstance(strength, int | float) or not 0 <= strength <= MOST:
        raise ConfigError(f"what is harmless of series {policy.id}: strength is a number from 0 to {MOST:.0f}")
    return Harmless(
        policy.id, str(body.get("definition", "")), str(body.get("org", "")), strength, str(body.get("alert", ""))
    )
