"""Resident memory of the three processes over five million events: flat. Takes several minutes, so it runs only when named."""

from __future__ import annotations

from bench import end_to_end


def main(count: int = 5_000_000) -> list[tuple[str, str]]:
    result = end_to_end.run(count)
    memory = [result[key] for key in ("mib_at_10_percent", "mib_at_end", "peak_mib")]
    return [
        ("events/s over five million", f"{result['events_per_s']:,.0f}"),
        ("memory at a tenth / at the end / peak, MiB (bar 400)", " / ".join(f"{mib:.0f}" for mib in memory)),
    ]
