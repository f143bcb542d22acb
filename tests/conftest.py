"""Fixtures that any test may use."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from effort import settings  # the profiles of hypothesis
from elastic import elastic, elastic_server, secured, secured_server  # noqa: F401 - fixtures
from memory import use_for_tests
from once import compiling_once

from soc.model.event import Event, event_id, iso

settings.load_profile("check")
use_for_tests()


def pytest_collection_finish() -> None:
    """Thousands of tests and the libraries stay until the end: the collector of garbage need not look at them again and again, nor at
    each test's few objects as often as it would."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """In CI a test with a real server may not be skipped: what it needs has been installed."""
    report = yield
    if (
        report.skipped
        and os.environ.get("CI")
        and item.get_closest_marker("server")
        and not hasattr(report, "wasxfail")
    ):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A test that sets up logging as a process does has it write to where pytest listens during that test alone."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all tests, of all workers, keep compiled rules; link it as `cache` into a data directory for which they need not be new."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "compiled"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session", autouse=True)
def _own_cache(compiled: Path) -> Iterator[None]:
    """Commands keep compiled rules for who runs them; those of the tests keep theirs apart."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(compiled))
        yield


@pytest.fixture(scope="session", autouse=True)
def _compiled_once() -> Iterator[None]:
    with compiling_once():
        yield


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real logs and rules that `SOC_TEST_DATA` names; tests that need it skip without it."""
    folder = os.environ.get("SOC_TEST_DATA")
    if not folder:
        pytest.skip("SOC_TEST_DATA is not set: no real logs to test with")
    return Path(folder)


@pytest.fixture
def make_event():
    """An ECS event: `make_event(ts, position="1", org="hungyen", **fields)`; dots in field names are written as `__`."""

    def make(
        ts: int, position: str = "1", org: str = "hungyen", dataset: str = "nginx.access", **fields: object
    ) -> Event:
        source = str(fields.pop("source", "portal"))
        id_ = event_id(ts, source, position, "line")
        document = {
            "@timestamp": iso(ts) if ts else None,
            "event.id": id_,
            "event.dataset": dataset,
            "organization.id": org,
            "govsoc.source.id": source,
            **{name.replace("__", "."): value for name, value in fields.items()},
        }
        return Event(id_, ts, org, dataset, {k: v for k, v in document.items() if v is not None})

    return make
