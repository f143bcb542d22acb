"""What the detector knows of the tuning: changed at once, kept while the store is away, faults told."""

from __future__ import annotations

import threading
from datetime import UTC

import pytest

from soc import telemetry
from soc.errors import StoreUnavailable
from soc.model.policy import Policy, PolicyKind
from soc.model.tuning import RuleException, RuleSetting, Stage, exception_body, setting_body
from soc.service.tuning import KnownTuning, keeping
from soc.store.sqlite import open_stores

DRAFT = setting_body(RuleSetting("r", Stage.DRAFT))


@pytest.fixture
def policies(tmp_path):
    return open_stores(tmp_path).policies


def lay_down(policies, kind, id_, version, body):
    policies.put(Policy(kind, id_, version, body, "lan", 0))


def test_it_is_read_again_only_when_something_has_changed(policies):
    known = KnownTuning(policies, UTC)
    known.load()
    first = known.now()
    known.load()
    assert known.now() is first
    lay_down(policies, PolicyKind.RULE, "r", 1, DRAFT)
    known.load()
    assert known.now().drafts == {"r"}
    lay_down(policies, PolicyKind.RULE, "r", 2, None)
    known.load()
    assert known.now().drafts == frozenset()


@pytest.mark.parametrize("trouble", [StoreUnavailable("away"), KeyError("away")], ids=["known", "of no known kind"])
def test_while_the_store_is_away_the_last_known_tuning_counts_and_then_it_goes_on(policies, monkeypatch, trouble):
    lay_down(policies, PolicyKind.RULE, "r", 1, DRAFT)
    known = KnownTuning(policies, UTC)
    known.load()
    away, heard = threading.Event(), threading.Event()
    away.set()
    revision = policies.revision

    def asked():
        if away.is_set():
            heard.set()
            raise trouble
        return revision()

    monkeypatch.setattr(policies, "revision", asked)
    before = telemetry.TUNING_FAILURES._value.get()
    with keeping(known, look_s=0.01):
        assert heard.wait(30)
        lay_down(policies, PolicyKind.RULE, "r", 2, setting_body(RuleSetting("r")))
        assert known.now().drafts == {"r"}
        away.clear()
        for _ in range(1000):
            if not known.now().drafts:
                break
            threading.Event().wait(0.02)
    assert known.now().drafts == frozenset()
    assert telemetry.TUNING_FAILURES._value.get() > before


def test_what_cannot_be_read_is_left_out_and_told(policies):
    lay_down(policies, PolicyKind.RULE, "r", 1, {"stage": "of a newer version"})
    lay_down(policies, PolicyKind.EXCEPTION, "x", 1, {"rule": "r"})
    lay_down(policies, PolicyKind.EXCEPTION, "y", 1, exception_body(RuleException("y", "r", "*", "why", "lan")))
    lay_down(policies, PolicyKind.RULE, "s", 1, DRAFT)
    known = KnownTuning(policies, UTC)
    known.load()
    assert known.now().drafts == {"s"}
    told = " ".join(fault.reason for fault in known.now().faults)
    assert all(name in told for name in ("rule r: stage", "exception x: there is no field 'rule'", "exception y"))
