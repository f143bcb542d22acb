"""Check: one line of `soc doctor`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """`state` is `ok`, `warn` or `bad`; `advice` says what to do when it is not ok."""

    name: str
    state: str
    found: str
    advice: str = ""
