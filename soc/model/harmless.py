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
    """`strength`: how far off the series may be (in half widths of its band) without a call; `low`: below what is expected, else above.
    `alert`: what the verdict was about."""

    series: str
    definition: str
    org: str
    strength: float
    alert: str
    low: bool = False

    @property
    def signed(self) -> float:
        """Negative: below."""
        return -self.strength if self.low else self.strength


def beyond(strength: float) -> float:
    """What is to be called from now on, where this was harmless."""
    return min(round(strength * _MARGIN, 2), MOST)


def body_of(one: Harmless) -> Mapping[str, object]:
    return {"definition": one.definition, "org": one.org, "strength": one.strength, "alert": one.alert, "low": one.low}


def harmless_of(policy: Policy) -> Harmless:
    """Raises `ConfigError` for a body that says something else."""
    body = policy.body or {}
    strength = body.get("strength")
    if not isinstance(strength, int | float) or not 0 <= strength <= MOST:
        raise ConfigError(f"what is harmless of series {policy.id}: strength is a number from 0 to {MOST:.0f}")
    definition, org, alert = (str(body.get(name, "")) for name in ("definition", "org", "alert"))
    return Harmless(policy.id, definition, org, strength, alert, low=body.get("low") is True)
