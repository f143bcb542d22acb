"""`make bench`: every benchmark, as a table. Figures are medians; machines differ, so compare ratios.

python -m bench [parts|end_to_end|latency|memory|elastic] ...
"""

from __future__ import annotations

import sys

from bench import end_to_end, latency, memory, parts


def elastic() -> list[tuple[str, str]]:
    try:
        import elasticsearch  # noqa: F401 - an extra
    except ImportError:
        return [("not measured", "its client is not installed: pip install 'govsoc[elasticsearch]'")]
    from bench import elastic

    return elastic.main()


BENCHMARKS = {
    "parts": parts.main,
    "end_to_end": end_to_end.main,
    "latency": latency.main,
    "memory": memory.main,
    "elastic": elastic,
}


def main(names: list[str]) -> None:
    for name in names or [name for name in BENCHMARKS if name != "memory"]:
        print(f"\n{name}")
        for what, figure in BENCHMARKS[name]():
            print(f"  {what:62} {figure}", flush=True)


main(sys.argv[1:])
