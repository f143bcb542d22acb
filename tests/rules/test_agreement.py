"""Agreement with a reference engine on public rules and events, per rule and event."""

from __future__ import annotations

import gzip
from itertools import islice
from pathlib import Path

import orjson
import pytest

from rules.logsource import OWN_FIELDS
from soc.model.event import Stored, flat

pytestmark = pytest.mark.xdist_group("sigmahq")  # one worker: what they share takes long to make

# (rules, pipeline, events, reference, every n-th event): all of `web`, a slice of the Windows corpora.
CORPORA = {
    "web": ("rules-web", "web-ecs-pipeline.yml", "weblogs/web-ecs-60k", 1),
    "win": ("rules", None, "otrf/windows-events", 5),
    "pc": ("rules", None, "otrf/process-creation-20k", 20),
}


@pytest.mark.parametrize(
    "name", [name if name == "web" else pytest.param(name, marks=pytest.mark.long) for name in CORPORA]
)
def test_same_hits_as_the_reference(test_data: Path, public_engine, name: str) -> None:
    rules, pipeline, events, step = CORPORA[name]
    engine = public_engine(rules, pipeline)
    assert engine.ruleset.errors == ()
    found = set()
    with gzip.open(test_data / f"{events}.ndjson.gz") as lines:
        for number, line in islice(enumerate(lines, 1), 0, None, step):
            fields = flat(orjson.loads(line))
            found.update((fired.rule.id, number) for fired in engine.plan(fields).fire(fields))
    with gzip.open(test_data / "reference" / f"{name}.hits.tsv.gz", "rt") as hits:
        rows = (line.split("\t") for line in hits)
        reference = {(rule, int(number)) for rule, number in rows if (int(number) - 1) % step == 0}
    assert reference
    assert (sorted(found - reference), sorted(reference - found)) == ([], [])
    assert engine.broken == {}


@pytest.mark.long
def test_the_sieve_drops_nothing_that_a_rule_fires_on(test_data: Path, public_engine) -> None:
    engine = public_engine("rules-web", "web-ecs-pipeline.yml")
    stored, kept, fired = 0, set(), set()
    with gzip.open(test_data / "weblogs" / "web-ecs-60k.ndjson.gz") as lines:
        for number, line in islice(enumerate(lines, 1), 0, None, 2):
            fields = {key: value for key, value in flat(orjson.loads(line)).items() if key not in OWN_FIELDS}
            stored += 1
            if engine.plan(fields).fire(fields):
                fired.add(number)
            if engine.sift([Stored("0" * 32, 0, "bench", "web", "portal", None, orjson.dumps(fields))]):
                kept.add(number)
    assert fired
    assert fired <= kept
    assert len(kept) < stored / 5, "a sieve that keeps most is of no use"
