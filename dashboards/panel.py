"""Panel: what a dashboard shows, as plain data, and how Grafana is told. One way for all, so that each has a unit, a description in both
languages and a link to the page of the console that is behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    elasticsearch,
    prometheus,
    stat,
    table,
    timeseries,
)
from grafana_foundation_sdk.models.common import BarGaugeDisplayMode, VizOrientation
from grafana_foundation_sdk.models.dashboard import DataSourceRef, GridPos, Threshold, ThresholdsMode

PROMETHEUS = DataSourceRef("prometheus", "${prometheus}")
INFINITY = DataSourceRef("yesoreyeram-infinity-datasource", "${govsoc}")
WIDTH = 24
_SIZES = {"stat": (4, 4), "bar": (8, 8), "table": (12, 8), "time": (12, 8), "tiles": (24, 8)}
_GREEN, _AMBER, _RED = "green", "orange", "red"


@dataclass(frozen=True, slots=True)
class Ask:
    """A PromQL query; `legend` as Grafana spells it. `now`: only its value at the end is shown. `exemplars`: single ones beside it, by
    which the log finds them."""

    expr: str
    legend: str = ""
    now: bool = False
    exemplars: bool = False


@dataclass(frozen=True, slots=True)
class Search:
    """What Elasticsearch is asked: how many documents of `index` (`events` or `alerts`) a query finds, by time and by a field.
    `org`: the field of their organisation; those of the chosen provinces and their communes count."""

    index: str
    query: str
    by: str
    org: str

    @property
    def lucene(self) -> str:
        return f"({self.query}) AND {self.org}:/${{unit:regex}}(\\..*)?/"


@dataclass(frozen=True, slots=True)
class Api:
    """govsoc's own API, through the data source Infinity, which Grafana signs: rows at `root` of the answer to `path`, in each its `time`
    and some values."""

    path: str
    root: str
    time: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """`title` and `about`: Vietnamese, English. `kind`: `stat`, `time`, `bar`, `tiles` (a bar for each) or `table`. `unit`: Grafana's id.
    `page`: the path in the console. `bounds`: values from which it is amber and red; reversed when the first is the larger."""

    title: tuple[str, str]
    about: tuple[str, str]
    kind: str
    unit: str
    page: str
    asks: tuple[Ask | Search | Api, ...]
    bounds: tuple[float, float] | None = None
    stacked: bool = False
    empty: str = field(default="")  # why it may show nothing on the demo

    @property
    def searches(self) -> bool:
        return any(isinstance(ask, Search) for ask in self.asks)

    @property
    def size(self) -> tuple[int, int]:
        return _SIZES[self.kind]


def silent(title: tuple[str, str]) -> Panel:
    """How many sources are silent, of the chosen provinces: the same figure on each dashboard that shows it."""
    about = "Nguồn không gửi gì lâu hơn mức cho phép.", "Sources that send nothing for longer than they may."
    ask = Ask('sum(soc_sources{state="silent",unit=~"$unit"})')
    return Panel(title, about, "stat", "short", "/coverage", (ask,), (1, 10))


def built(panel: Panel, at: GridPos) -> Any:
    """The builder of Grafana's panel."""
    vi, en = panel.about
    needs = "\n\nCần Elasticsearch. · Needs Elasticsearch." if panel.searches else ""
    made = (
        _empty(panel)
        .title(" · ".join(panel.title))
        .description(f"{vi}\n\n{en}{needs}")
        .unit(panel.unit)
        .grid_pos(at)
        .links([dashboard.DashboardLink("govsoc").url("${console}" + panel.page).type("link").target_blank(True)])
        .datasource(_source(panel))
    )
    for number, ask in enumerate(panel.asks):
        made = made.with_target(_target(ask, chr(ord("A") + number)))
    return made.thresholds(_thresholds(panel.bounds)) if panel.bounds else made


def _source(panel: Panel) -> DataSourceRef:
    match panel.asks[0]:
        case Search(index):
            return DataSourceRef("elasticsearch", f"${{elasticsearch_{index}}}")
        case Api():
            return INFINITY
    return PROMETHEUS


def _empty(panel: Panel) -> Any:
    calm = common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False)
    match panel.kind:
        case "stat":
            return stat.Panel().reduce_options(calm)
        case "bar":
            return bargauge.Panel().reduce_options(calm).orientation(VizOrientation.HORIZONTAL)
        case "tiles":
            tiles = bargauge.Panel().reduce_options(calm).orientation(VizOrientation.VERTICAL)
            return tiles.display_mode(BarGaugeDisplayMode.BASIC)
        case "table":
            return table.Panel()
    made = timeseries.Panel().fill_opacity(10).legend(common.VizLegendOptions().show_legend(True))
    return made.stacking(common.StackingConfig().mode("normal")) if panel.stacked else made


class _Infinity:
    """What the SDK has no builder for: a query of the data source Infinity."""

    def __init__(self, ask: Api, ref: str) -> None:
        columns = [{"selector": ask.time, "text": ask.time, "type": "timestamp"}]
        columns += [{"selector": value, "text": value, "type": "number"} for value in ask.values]
        self._json = {
            "refId": ref,
            "datasource": INFINITY,
            "type": "json",
            "source": "url",
            "parser": "backend",
            "format": "timeseries",
            "url": ask.path,
            "url_options": {"method": "GET"},
            "root_selector": ask.root,
            "columns": columns,
        }

    def build(self) -> _Infinity:
        return self

    def to_json(self) -> dict[str, object]:
        return self._json


def _target(ask: Ask | Search | Api, ref: str) -> Any:
    if isinstance(ask, Api):
        return _Infinity(ask, ref)
    if isinstance(ask, Ask):
        target = prometheus.Dataquery().expr(ask.expr).legend_format(ask.legend).ref_id(ref).datasource(PROMETHEUS)
        target = target.exemplar(True) if ask.exemplars else target
        return target.instant().format("table") if ask.now else target.range()
    time_field = {"events": "@timestamp", "alerts": "raised_at"}[ask.index]
    terms = elasticsearch.Terms().id("2").field(ask.by)
    terms = terms.settings(elasticsearch.ElasticsearchTermsSettings().size("10").order("desc").order_by("_count"))
    times = elasticsearch.DateHistogram().id("3").field(time_field)
    times = times.settings(elasticsearch.ElasticsearchDateHistogramSettings().interval("auto").min_doc_count("0"))
    target = elasticsearch.Dataquery().query(ask.lucene).time_field(time_field).ref_id(ref)
    return target.metrics([elasticsearch.Count().id("1")]).bucket_aggs([terms, times])


def _thresholds(bounds: tuple[float, float]) -> Any:
    first, second = bounds
    steps: Sequence[tuple[float | None, str]] = [(None, _GREEN), (first, _AMBER), (second, _RED)]
    if first > second:  # the more, the better
        steps = [(None, _RED), (second, _AMBER), (first, _GREEN)]
    return (
        dashboard.ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(value=value, color=color) for value, color in steps])
    )
