"""`make bench`: every benchmark, as a table. Figures are medians; machines differ, so compare ratios.

python -m bench [NAME ...]: those below, each a module of its name.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec

SHORT = ("parts", "end_to_end", "latency", "rules", "elastic")  # those of `make bench`
LONG = (  # only when they are named
    "memory",
    "metrics",
    "limits",
    "backtest",
    "correlations",
    "lists",
    "score",
    "nab",
    "observe",
    "entities",
    "entities_forest",
    "injected",
    "injected_entities",
    "injected_people",
    "injected_soon",
    "pages",
)
ON_ELASTIC = ("elastic", "pages")


def measured(name: str) -> list[tuple[str, str]]:
    if name in ON_ELASTIC and find_spec("elasticsearch") is None:  # an extra
        return [("not measured", "its client is not installed: make setup-elasticsearch")]
    figures: list[tuple[str, str]] = import_module(f"bench.{name}").main()
    return figures


def main(names: list[str]) -> None:
    if unknown := [name for name in names if name not in SHORT + LONG]:
        sys.exit(f"no benchmark {', '.join(unknown)}; there are {', '.join(SHORT + LONG)}")
    for name in names or SHORT:
        print(f"\n{name}")
        for what, figure in measured(name):
            print(f"  {what:62} {figure}", flush=True)


main(sys.argv[1:])
