"""Account: a person or a program that may call the API."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from soc.model.org import Scope


class Role(StrEnum):
    """Each role may do what the ones before it may."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    ADMIN = "admin"

    def includes(self, other: Role) -> bool:
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True)
class Account:
    name: str
    role: Role
    scope: Scope
    disabled: bool = False
