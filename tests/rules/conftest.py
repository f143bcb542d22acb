"""What the tests of the rule engine share: rules from a few lines, and whether one fires on an event."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import orjson
import pytest
import yaml

from rules.engine import Engine
from rules.load.folders import load, loads
from soc.model.event import Event, Stored

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


@pytest.fixture(scope="session")
def rule_text():
    """`rule_text(detection, **other)`: a rule as YAML text; `detection` without a condition gets `all of them`."""

    def text(detection: dict[str, object], **other: object) -> str:
        rule = {"title": "t", "logsource": {"category": "test"}, **other}
        return yaml.safe_dump({**rule, "detection": {"condition": "all of them", **detection}}, allow_unicode=True)

    return text


@pytest.fixture(scope="session")
def engine_of():
    """`engine_of(text)`: an engine over the rules of a YAML text, all of which must load."""

    def make(text: str, **options: int) -> Engine:
        ruleset = loads(text)
        assert not ruleset.errors, [str(error) for error in ruleset.errors]
        return Engine(ruleset, ZONE, **options)

    return make


@pytest.fixture(scope="session")
def fires(rule_text, engine_of):
    """`fires(detection, fields)`: whether a rule of this detection fires on an event of these fields.

    An event on which it fires must pass the sieve, too: every test of a predicate is one of its witness.
    """

    def fire(detection: dict[str, object], fields: dict[str, object]) -> bool:
        engine = engine_of(rule_text(detection))
        event = event_of(fields)
        fired = bool(engine.match([event]))
        if fired and (stored := stored_of(event)):
            assert engine.sift([stored]) == [stored.event], "fires, and the sieve would have dropped it"
        return fired

    return fire


def stored_of(event: Event) -> Stored | None:
    """The event as the event log holds it; None for one that no JSON can hold (half a surrogate, 65 bits)."""
    try:
        return Stored(event.id, event.ts, event.org, event.dataset, "portal", None, orjson.dumps(event.fields))
    except TypeError:
        return None


def event_of(fields: dict[str, object], ts: int = 1_772_416_800_000, number: int = 1) -> Event:
    return Event(f"{ts:012x}{number:020x}", ts, str(fields.get("organization.id", "hungyen")), "test", fields)


@pytest.fixture(scope="session")
def public_rules(test_data: Path):
    """`public_rules(folder, pipeline)`: the rules of a folder of SigmaHQ's, loaded once."""
    loaded = {}

    def get(rules: str, pipeline: str | None):
        if rules not in loaded:
            loaded[rules] = load(
                [test_data / "sigmahq" / rules], [test_data / "sigmahq" / pipeline] if pipeline else []
            )
        return loaded[rules]

    return get


@pytest.fixture(scope="session")
def event():
    return event_of


@pytest.fixture(scope="session")
def tz():
    return ZONE
