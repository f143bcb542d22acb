"""What the tests of the rule engine share: rules from a few lines, and whether one fires on an event."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
import yaml

from rules.load import loads
from rules.match import Engine
from soc.model.event import Event

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
    """`fires(detection, fields)`: whether a rule of this detection fires on an event of these fields."""

    def fire(detection: dict[str, object], fields: dict[str, object]) -> bool:
        engine = engine_of(rule_text(detection))
        return bool(engine.match([event_of(fields)]))

    return fire


def event_of(fields: dict[str, object], ts: int = 1_772_416_800_000, number: int = 1) -> Event:
    return Event(f"{ts:012x}{number:020x}", ts, str(fields.get("organization.id", "hungyen")), "test", fields)


@pytest.fixture(scope="session")
def event():
    return event_of


@pytest.fixture(scope="session")
def tz():
    return ZONE
