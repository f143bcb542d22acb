"""Board: panels in rows on a grid, and the variables that all dashboards have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models.dashboard import GridPos, VariableRefresh, VariableSort

from dashboards.panel import INFINITY, PROMETHEUS, WIDTH, Api, Panel, Search, built


@dataclass(frozen=True, slots=True)
class Board:
    """`name`: of the file, and in the address."""

    name: str
    title: tuple[str, str]
    about: tuple[str, str]
    panels: Sequence[Panel]


def made(board: Board) -> Any:
    """Grafana's dashboard."""
    vi, en = board.about
    result = (
        dashboard.Dashboard("govsoc · " + " · ".join(board.title))
        .uid(f"govsoc-{board.name}")
        .description(f"{vi}\n\n{en}")
        .tags(["govsoc"])
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .editable()
        .link(dashboard.DashboardLink("govsoc").type("dashboards").tags(["govsoc"]).as_dropdown(True).keep_time(True))
    )
    for variable in _variables(board):
        result = result.with_variable(variable)
    for panel, place in _placed(board.panels):
        result = result.with_panel(built(panel, place))
    return result.build()


def _variables(board: Board) -> Iterator[Any]:
    yield dashboard.DatasourceVariable("prometheus").label("Prometheus").type("prometheus")
    asks = [ask for panel in board.panels for ask in panel.asks]
    for index in sorted({ask.index for ask in asks if isinstance(ask, Search)}):
        yield (
            dashboard.DatasourceVariable(f"elasticsearch_{index}")
            .label(f"Elasticsearch: {index}")
            .type("elasticsearch")
            .regex(f"/govsoc-{index}/")
        )
    if any(isinstance(ask, Api) for ask in asks):
        yield dashboard.DatasourceVariable("govsoc").label("govsoc").type(INFINITY.type_val or "")
        yield dashboard.TextBoxVariable("series").label("Chuỗi · Series").default_value("")
    yield dashboard.TextBoxVariable("console").label("govsoc").default_value("http://127.0.0.1:8080")
    asked = " ".join(ask.lucene if isinstance(ask, Search) else str(ask) for ask in asks)
    for name, label, of in (("unit", "Đơn vị · Organisation", "unit"), ("system", "Hệ thống · System", "dataset")):
        if re.search(rf"\$\{{?{name}\b", asked):  # else choosing would change nothing
            yield _choice(name, label, f"label_values(soc_traffic_events_total, {of})")


def _choice(name: str, label: str, query: str) -> Any:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(PROMETHEUS)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
    )


def _placed(panels: Sequence[Panel]) -> Iterator[tuple[Panel, GridPos]]:
    """From left to right, and down when a row is full."""
    x = y = height = 0
    for panel in panels:
        wide, high = panel.size
        if x + wide > WIDTH:
            x, y, height = 0, y + height, 0
        yield panel, GridPos(h=high, w=wide, x=x, y=y)
        x, height = x + wide, max(height, high)
