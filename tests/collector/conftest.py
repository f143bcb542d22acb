from __future__ import annotations

from collections.abc import Callable

import pytest
from readers import MemoryCheckpoints, Sink, plain_print, run_reader, wait_for


@pytest.fixture
def notes() -> MemoryCheckpoints:
    return MemoryCheckpoints()


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def new_sink() -> type[Sink]:
    return Sink


@pytest.fixture
def fingerprint() -> Callable[[bytes], str]:
    return plain_print


@pytest.fixture
def eventually() -> Callable[..., None]:
    return wait_for


@pytest.fixture
def running():
    """`with running(reader.run, sink) as stop:` runs a reader in a thread and stops it at the end."""
    return run_reader
