"""The figures for dashboards, on real stores: what they say is what the stores hold, and units are bounded."""

from __future__ import annotations

from collections import Counter

import pytest
from opened import commit, finding, open_sqlite
from prometheus_client import REGISTRY

from soc import telemetry
from soc.model.alert import Decision, Status, Verdict
from soc.model.incident import Incident
from soc.model.rule import RuleDoc
from soc.model.source import Source, Transport
from soc.service.figures import Figures, _bounded
from soc.store.anomalies import SqliteAnomalies, anomalies_file
from soc.store.levels import SqliteLevels
