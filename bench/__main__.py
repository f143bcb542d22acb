"""`make bench`: every benchmark, as a table. Figures are medians; machines differ, so compare ratios.

python -m bench [parts|rules|limits|correlations|lists|end_to_end|latency|memory|backtest|entities|elastic|pages] ...
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

from bench import backtest, correlations, end_to_end, entities, latency, limits, lists, memory, parts, rules


def on_elastic(name: str) -> Callable[[], list[tuple[str, str]]]:
    def measured() -> list[tuple[str, str]]:
        if find_spec("elasticsearch") is None:  # an extra
            return [("not measured", "its client is not installed: make setup-elasticsearch")]
        figures: list[tuple[str, str]] = import_module(f"bench.{name}").main()
        return figures

    return measured


BENCHMARKS = {
    "parts": parts.main,
    "end_to_end": end_to_end.main,
    "latency": latency.main,
    "memory": memory.main,
    "rules": rules.main,
    "limits": limits.main,
    "backtest": backtest.main,
    "correlations": correlations.main,
    "lists": lists.main,
    "entities": entities.main,
    "elastic": on_elastic("elastic"),
    "pages": on_elastic("pages"),
}

LONG = ("memory", "limits", "backtest", "correlations", "lists", "entities", "pages")  # only when they are named


def main(names: list[str]) -> None:
    if unknown := [name for name in names if name not in BENCHMARKS]:
        sys.exit(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    for name in names or [name for name in BENCHMARKS if name not in LONG]:
        print(f"\n{name}")
        for what, figure in BENCHMARKS[name]():
            print(f"  {what:62} {figure}", flush=True)


main(sys.argv[1:])
