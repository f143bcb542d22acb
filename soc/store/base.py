"""What a store can do: one small Protocol a noun. SQLite and Elasticsearch pass the same contract suite (`tests/contracts`).

Every read that a person may trigger takes a `Scope`; what lies outside it does not exist (`NotFound`).
Pages run by cursor: an opaque string, `None` when there is no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from soc.buffer.base import Cursor
from soc.model.account import Account
from soc.model.alert import Alert, Change, Status, Verdict
from soc.model.event import Event, Fields
from soc.model.finding import Finding
from soc.model.org import Scope
from soc.model.source import Source, SourceHealth
from soc.query.ast import Query


@dataclass(frozen=True, slots=True)
class Page[T]: ...
