"""What `soc doctor` says of what the observer reads: definitions of series, objectives of services, and kinds of entities."""

from __future__ import annotations

from collections.abc import Iterator

from detector.health.definition import CONTENT
from detector.health.definition import load as objectives
from soc.cli.check import Check
from soc.service.declared import definitions_of
from soc.service.levels import slo_dir
from soc.service.people import declared
from soc.settings import Settings


def observe_checks(settings: Settings) -> Iterator[Check]:
    known, wrong = definitions_of(settings), objectives((CONTENT, slo_dir(settings.data_dir)))
    people = declared(settings)
    yield Check("series", "ok", f"{len(known.by_name)} definitions")
    yield Check("objectives", "ok", f"{len(wrong[0])} of services")
    yield Check("people", "ok", f"{len(people.by_name)} kinds of entities")
    for what, faults in (("series", known.faults), ("objectives", wrong[1]), ("people", people.faults)):
        for fault in faults:
            yield Check(what, "bad", str(fault), "mend the file, and it is read again; the others run")
