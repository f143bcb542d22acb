"""Resident memory of the three processes over five million events: flat. Takes several minutes, so it runs only when named."""

from __future__ import annotations

from bench import end_to_end


def main(count: int = 5_000_000) -> list[tuple[str, str]]:
    result = end_to_end.run(count)
    return [
        ("events/s over five million", f"{result['events_per_s']:,.0f}"),
        ("memory at a tenth / at the end / peak, MiB (bar 400)", f"{result['mib_at_10_percent']:.0f} / {result['mib_at_end']:.0f} / {result['peak_mib']:.0f}"),
    ]
