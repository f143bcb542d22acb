"""What `soc doctor` says of lists of indicators: those that rules ask for and that are not there, empty, over, or not on this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator

from api.indicators import Kept, visible
from rules.lists.index import Index
from soc.cli.check import Check
from soc.errors import ConfigError
from soc.model.org import EVERYTHING
from soc.service.lists import lists_dir
from soc.service.process import now_ms
from soc.settings import Settings
from soc.store.base import Stores

_ASKED = re.compile(r"%(\w+)%")


def lists_checks(settings: Settings, stores: Stores) -> Iterator[Check]:
    kept = visible(stores.policies, EVERYTHING)
    for one in kept:
        yield _kept(settings, one)
    known = {one.record.name for one in kept}
    lacking: dict[str, list[str]] = {}
    for rule in stores.alerts.running()[0]:
        if "|expand" in rule.text:
            for name in set(_ASKED.findall(rule.text)) - known:
                lacking.setdefault(name, []).append(rule.title)
    for name, titles in sorted(lacking.items()):
        found = (
            f"not there; rules that rest for it, or whose filter takes nothing away: {len(titles)}, such as {titles[0]}"
        )
        yield Check(
            f"list {name}", "warn", found, f"soc lists import {name} FILE --type ip (or domain, hash, url, text)"
        )


def _kept(settings: Settings, kept: Kept) -> Check:
    name = f"list {kept.record.id}"
    try:
        index = Index.open(lists_dir(settings.data_dir), kept.record.file)
    except ConfigError as error:
        return Check(name, "bad", str(error), "the rules that ask for it go on with what was known before, or rest")
    now = now_ms() // 1000
    over = sum(1 for entry in index.all() if entry.until and entry.until <= now)
    found = f"{index.entries:,} entries" + (f", {over:,} of them are over" if over else "")
    if over == index.entries:
        return Check(name, "warn", found, "nothing is found by it: import it again, or remove it")
    return Check(name, "ok", found)
