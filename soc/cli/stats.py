"""`soc rules list --stats`: what the rules that run have seen and found, from the ledger."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from soc.cli.context import console, local_time, print_json, shown, stores_of
from soc.model.calendar import DAY_MS
from soc.model.ledger import DEEDS, Total
from soc.model.org import EVERYTHING
from soc.service.process import now_ms

DAYS = 30


def stats(config: Path | None, data_dir: Path | None, as_json: bool) -> None:
    """Of the last `DAYS`, all organisations together; the rules that matched most come first."""
    _, stores = stores_of(config, data_dir)
    costs = stores.alerts.costs()
    totals = stores.ledger.totals(EVERYTHING, since=now_ms() - DAYS * DAY_MS)
    rules = [(rule, totals.get(rule.id, Total())) for rule in stores.alerts.running()[0]]
    rules.sort(key=lambda one: (-one[1].deeds.matched, one[0].title))
    if as_json:
        for rule, total in rules:
            numbers = {"seen": total.seen, **{name: getattr(total.deeds, name) for name in DEEDS}}
            cost = costs[rule.id].seconds if rule.id in costs else None
            print_json(
                {"id": rule.id, **numbers, "cost_s": cost, "last_match": total.last_match, "last_run": total.last_run}
            )
        return
    table = Table(box=None, header_style="bold")
    for heading in ("rule", "seen", "matched", "in alerts", "hidden", "µs an event", "last match", "last run"):
        table.add_column(heading, justify="left" if heading == "rule" else "right")
    for rule, total in rules:
        counts = (total.seen, total.deeds.matched, total.deeds.folded, total.deeds.hidden)
        last = (local_time(total.last_match), local_time(total.last_run))
        alone = f"{costs[rule.id].seconds * 1e6:.1f}" if rule.id in costs else "-"
        table.add_row(shown(rule.title), *(f"{count:,}" for count in counts), alone, *last)
    console().print(table)
