"""The stores that every contract is tried on. A new one is one more parameter of `reopen`."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from opened import open_elastic, open_sqlite

from soc.store.elastic.admin import setup
from soc.store.elastic.client import connect


@pytest.fixture(params=["sqlite", pytest.param("elasticsearch", marks=pytest.mark.server)])
def reopen(request, tmp_path):
    """Opens the store, each time as a process does that was just started."""
    if request.param == "sqlite":
        yield lambda: open_sqlite(tmp_path)
        return
    url = request.getfixturevalue("elastic").url
    with ExitStack() as clients:
        setup.install(clients.enter_context(connect(url)))
        yield lambda: open_elastic(tmp_path, clients.enter_context(connect(url)))


@pytest.fixture
def opened(reopen):
    return reopen()
