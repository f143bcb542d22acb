"""`make bench`: every benchmark, as a table. Figures are medians; machines differ, so compare ratios.

python -m bench [end_to_end|latency|memory|parse|rules] ...
"""

from __future__ import annotations

import sys

from bench import end_to_end, latency, memory, parts

BENCHMARKS = {"parts": parts.main, "end_to_end": end_to_end.main, "latency": latency.main, "memory": memory.main}


def main(names: list[str]) -> None:
    for name in names or [name for name in BENCHMARKS if name != "memory"]:
        print(f"\n{name}")
        for what, figure in BENCHMARKS[name]():
            print(f"  {what:62} {figure}", flush=True)


main(sys.argv[1:])
