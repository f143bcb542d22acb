"""Every SigmaHQ rule on events made from its own values, and on near misses of them: the engine says what the reference says."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest
import yaml
from doors import event_of, stored_of
from made import events_of, near_misses
from reference import Reference

from rules.desk.explain import explain
from rules.engine import Engine
from rules.rule import RuleSet

pytestmark = pytest.mark.xdist_group("sigmahq")  # one worker: what they share takes long to make

NOTHING_MADE: set[str] = set()  # ids of rules on which no single event can fire


@pytest.fixture(scope="module")
def ruleset(test_data: Path, public_rules: Callable[[str, str | None], RuleSet]) -> RuleSet:
    loaded = public_rules("rules", None)
    assert loaded.errors == ()
    return loaded


@pytest.fixture(scope="module")
def documents(ruleset: RuleSet) -> dict[str, dict[str, object]]:
    return {rule.id: yaml.load(rule.text, yaml.CSafeLoader) for rule in ruleset.rules if rule.condition is not None}


@pytest.fixture(scope="module")
def engine(public_engine: Callable[[str, str | None], Engine]) -> Engine:
    return public_engine("rules", None)


@pytest.mark.long
def test_every_rule_fires_on_an_event_made_from_it(ruleset: RuleSet, documents, engine: Engine) -> None:
    rules = {rule.id: rule for rule in ruleset.rules}
    unmade = set()
    for rule_id, document in documents.items():
        made = list(islice(events_of(document), 1))
        if not made:
            unmade.add(rule_id)
        for fields in made:
            stored = stored_of(event_of(fields))
            assert stored is not None
            assert rule_id in {finding.rule_id for finding in engine.match(engine.sift([stored]))}, (rule_id, fields)
            assert explain(rules[rule_id], fields).holds, (rule_id, fields)  # type: ignore[arg-type]
    assert unmade == NOTHING_MADE
    assert engine.broken == {}


@pytest.mark.long
def test_near_misses(documents, engine: Engine) -> None:
    """Each changed event: the rule it was made from, whichever way; and that each rule that fires on it does so rightly."""
    references = {rule_id: Reference(document) for rule_id, document in documents.items()}
    judged = 0
    for rule_id, document in documents.items():
        for made in islice(events_of(document), 1):
            for fields in near_misses(made, fields=1):
                found = {finding.rule_id for finding in engine.match([event_of(fields)])}
                assert (rule_id in found) == references[rule_id].fires(fields), (rule_id, fields)
                assert [other for other in found if not references[other].fires(fields)] == [], fields
                judged += 1
    assert judged > 5 * len(documents)


@pytest.mark.long
def test_no_rule_misses_an_event_made_from_another(documents, engine: Engine) -> None:
    """All rules on every two hundredth event, none left out by what the engine knows of them."""
    references = {rule_id: Reference(document) for rule_id, document in documents.items()}
    for document in list(documents.values())[::200]:
        for fields in islice(events_of(document), 1):
            fields.pop("category", None)  # more rules look at it then
            found = {finding.rule_id for finding in engine.match([event_of(fields)])}
            assert found == {rule_id for rule_id, reference in references.items() if reference.fires(fields)}, fields
