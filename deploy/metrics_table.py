"""The table of docs/metrics.md, made from `soc.telemetry`: what a scrape has and what is documented cannot differ."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics import MetricWrapperBase

from soc import telemetry

PAGE = "docs/metrics.md"
HEAD = "| metric | type | labels | meaning |\n"


def table() -> str:
    """Markdown, in the order in which the metrics are written there."""
    return "".join((HEAD, "|---|---|---|---|\n", *map(_row, _metrics())))


def _metrics() -> Iterator[MetricWrapperBase]:
    return (metric for metric in vars(telemetry).values() if isinstance(metric, MetricWrapperBase))


def _row(metric: MetricWrapperBase) -> str:
    # The library has no public way to a metric's labels.
    labels = ", ".join(f"`{label}`" for label in metric._labelnames)
    [described] = metric.describe()
    name = described.name + ("_total" if described.type == "counter" else "")
    return f"| `{name}` | {described.type} | {labels} | {described.documentation} |\n"
