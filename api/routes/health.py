"""How the service itself is doing: for people, for probes, for Prometheus."""

from __future__ import annotations

from collections import Counter

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder

from api.auth import Viewer, may_read_metrics
from api.errors import PROBLEMS
from api.schemas import HealthOut
from api.standing import standings
from api.state import Here
from soc.model.silence import Freshness

router = APIRouter(prefix="/health", tags=["health"])
probes = APIRouter(tags=["health"])


@router.get("")
def health(state: Here, account: Viewer) -> HealthOut:
    states = Counter(one.state for one in standings(state.stores, account.scope, state.clock()))
    rules, faults = state.stores.alerts.running()
    return HealthOut(
        version=state.version,
        sources={word: states[word] for word in Freshness},
        alerts=dict(state.stores.alerts.counts(account.scope)),
        rules=len(rules),
        rule_faults=len(faults),
    )


@probes.get("/livez", response_class=PlainTextResponse)
async def live() -> str:
    """The process answers. Needs no thread, so a busy service is not taken for a dead one."""
    return "ok\n"


@probes.get("/readyz", response_class=PlainTextResponse, responses={503: PROBLEMS[503]})
def ready(state: Here) -> str:
    """The databases answer too; 503 otherwise."""
    state.stores.sources.revision()
    state.stores.alerts.running()
    return "ok\n"


@probes.get("/metrics", dependencies=[Depends(may_read_metrics)], response_class=PlainTextResponse)
def metrics(request: Request) -> Response:
    """Prometheus text, or OpenMetrics for who asks for it, with the id of a request beside the times: without a key only from this
    machine itself."""
    encode, kind = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(REGISTRY), media_type=kind)
