"""Every noun on Elasticsearch, from one client."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from soc.store.base import Stores
from soc.store.elastic.client import Client
from soc.store.elastic.events.search import ElasticEvents
from soc.store.elastic.names import Period
from soc.store.elastic.records.accounts import ElasticAccounts, ElasticAudit
from soc.store.elastic.records.alerts import ElasticAlerts, Homes
from soc.store.elastic.records.deliveries import ElasticDeliveries
from soc.store.elastic.records.detections import ElasticDetections
from soc.store.elastic.records.incidents import ElasticIncidents
from soc.store.elastic.records.ledger import ElasticLedger
from soc.store.elastic.records.outages import ElasticOutages
from soc.store.elastic.records.policies import ElasticPolicies
from soc.store.elastic.records.rulebook import RuleBook
from soc.store.elastic.records.sources import ElasticHealth, ElasticSources
from soc.store.elastic.records.triage import ElasticTriage


def open_stores(
    client: Client,
    period: Period = "month",
    clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
) -> Stores:
    """All stores of a cluster. Sends nothing. `clock`: ms since 1970."""
    homes, audit = Homes(client), ElasticAudit(client, period)
    return Stores(
        events=ElasticEvents(client),
        alerts=ElasticAlerts(client, homes, RuleBook(client)),
        triage=ElasticTriage(client, homes.org),
        incidents=ElasticIncidents(client),
        sources=ElasticSources(client, audit, clock),
        policies=ElasticPolicies(client),
        deliveries=ElasticDeliveries(client),
        health=ElasticHealth(client),
        outages=ElasticOutages(client),
        ledger=ElasticLedger(client),
        accounts=ElasticAccounts(client, audit, clock),
        audit=audit,
    )


def open_detections(client: Client, data_dir: Path, period: Period = "month") -> ElasticDetections:
    return ElasticDetections(client, data_dir, RuleBook(client), period)
