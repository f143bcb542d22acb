"""What `soc doctor` says of what the observer reads: definitions of series, and objectives of services."""

from __future__ import annotations

from collections.abc import Iterator

from detector.health.definition import CONTENT
from detector.health.definition import load as objectives
from soc.cli.check import Check
from soc.service.levels import slo_dir
from soc.service.observer import definitions_of
from soc.settings import Settings


def observe_checks(settings: Settings) -> Iterator[Check]:
    known, wrong = definitions_of(settings), objectives((CONTENT, slo_dir(settings.data_dir)))
    yield Check("series", "ok", f"{len(known.by_name)} definitions")
    yield Check("objectives", "ok", f"{len(wrong[0])} of services")
    for what, faults in (("series", known.faults), ("objectives", wrong[1])):
        for fault in faults:
            yield Check(what, "bad", str(fault), "mend the file, then start the observer anew; the others run")
