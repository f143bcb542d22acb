"""Asks the data sources of a dashboard as Grafana does: Prometheus over HTTP, Elasticsearch by aggregations, the API by GET."""

from __future__ import annotations

import json
import math
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

BEFORE_S = 900  # that are shown
_STEP_S = 15
_BUILT_IN = {"$__rate_interval": "1m", "$__range": "15m", "$__interval": f"{_STEP_S}s", "${console}": ""}


@dataclass(frozen=True)
class Answer:
    """What a panel shows: the numbers of each series. `seconds`: for each of its queries."""

    board: str
    panel: str
    unit: str
    series: Mapping[str, list[float]]
    seconds: list[float]


@dataclass(frozen=True)
class Runner:
    """`variables`: their values by name; without one, all of a variable. Without Elasticsearch its panels are not asked."""

    prometheus: str
    elasticsearch: str | None
    api: str
    key: str
    variables: Mapping[str, str]

    def ask(self, path: Path) -> Iterator[Answer]:
        """Each panel of a dashboard. Raises what the servers answer with an error."""
        board = json.loads(path.read_text())
        known = {one["name"]: one.get("allValue", "") for one in board["templating"]["list"]} | dict(self.variables)
        for panel in board["panels"]:
            if self.elasticsearch is None and panel["datasource"]["type"] == "elasticsearch":
                continue
            series: dict[str, list[float]] = {}
            seconds = []
            for target in panel["targets"]:
                began = time.perf_counter()
                for name, values in self._target(target, panel["datasource"], known):
                    series[f"{target['refId']} {name}"] = values
                seconds.append(time.perf_counter() - began)
            yield Answer(path.stem, panel["title"], panel["fieldConfig"]["defaults"]["unit"], series, seconds)

    def _target(self, target: Mapping, source: Mapping, known: Mapping[str, str]) -> Iterator[tuple[str, list[float]]]:
        match source["type"]:
            case "prometheus":
                return self._metrics(_filled(target["expr"], known))
            case "elasticsearch":
                return self._documents(target, _filled(target["query"], known), source["uid"])
        return self._rows(target, _filled(target["url"], known))

    def _metrics(self, expr: str) -> Iterator[tuple[str, list[float]]]:
        end = time.time()
        asked = {"query": expr, "start": end - BEFORE_S, "end": end, "step": _STEP_S}
        answer = _json(f"{self.prometheus}/api/v1/query_range", urllib.parse.urlencode(asked).encode())
        for one in answer["data"]["result"]:
            numbers = [float(value) for _, value in one["values"]]
            yield json.dumps(one["metric"]), [number for number in numbers if not math.isnan(number)]

    def _documents(self, target: Mapping, query: str, source: str) -> Iterator[tuple[str, list[float]]]:
        """One search of a multi search, put together from the target as Grafana's data source does it."""
        end = int(time.time() * 1000)
        times = {target["timeField"]: {"gte": end - BEFORE_S * 1000, "lte": end, "format": "epoch_millis"}}
        words = {"query_string": {"analyze_wildcard": True, "query": query}}
        [metric] = target["metrics"]
        assert metric["type"] == "count", "no other is asked, and any other would be an aggregation of its own"
        index = source.removeprefix("${elasticsearch_").removesuffix("}")
        header = {"ignore_unavailable": True, "index": f"govsoc-{index}-*"}
        asked = {
            "size": 0,
            "query": {"bool": {"filter": [{"range": times}, words]}},
            "aggs": _nested(target["bucketAggs"], end),
        }
        body = "".join(json.dumps(line) + "\n" for line in (header, asked)).encode()
        [answer] = _json(f"{self.elasticsearch}/_msearch", body)["responses"]
        assert "error" not in answer, answer
        terms, by_time = target["bucketAggs"]
        for one in answer["aggregations"][terms["id"]]["buckets"] if "aggregations" in answer else ():
            yield str(one["key"]), [float(bucket["doc_count"]) for bucket in one[by_time["id"]]["buckets"]]

    def _rows(self, target: Mapping, path: str) -> Iterator[tuple[str, list[float]]]:
        rows = _json(self.api + path, None, self.key)[target["root_selector"]]
        for column in target["columns"]:
            if column["type"] == "number":
                values = [row[column["selector"]] for row in rows]
                yield column["text"], [value for value in values if value is not None]


def _nested(wanted: Sequence[Mapping], end: int) -> dict:
    """The first of these aggregations, with the others in it."""
    if not wanted:
        return {}
    one, settings = wanted[0], wanted[0]["settings"]
    match one["type"]:
        case "terms":
            order = {settings["orderBy"]: settings["order"]}
            made = {"field": one["field"], "size": int(settings["size"]), "order": order}
        case "date_histogram":
            step = f"{_STEP_S}s" if settings["interval"] == "auto" else settings["interval"]
            made = {
                "field": one["field"],
                "fixed_interval": step,
                "min_doc_count": int(settings["min_doc_count"]),
                "extended_bounds": {"min": end - BEFORE_S * 1000, "max": end},
                "format": "epoch_millis",
            }
        case other:
            raise AssertionError(f"the runner does not know {other}")
    inner = _nested(wanted[1:], end)
    return {one["id"]: {one["type"]: made} | ({"aggs": inner} if inner else {})}


def _filled(text: str, known: Mapping[str, str]) -> str:
    for name, value in _BUILT_IN.items():
        text = text.replace(name, value)
    for name, value in known.items():
        for spelt in (f"${{{name}:regex}}", f"${{{name}}}", f"${name}"):
            text = text.replace(spelt, value)
    return text


def _json(url: str, body: bytes | None, key: str = "") -> dict:
    kind = "application/json" if body and body.startswith(b"{") else "application/x-www-form-urlencoded"
    headers = {"Content-Type": kind} | ({"Authorization": f"Bearer {key}"} if key else {})
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30) as answer:
        return json.load(answer)
