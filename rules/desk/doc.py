"""What is kept of a rule so that people can read it, also after it has changed."""

from __future__ import annotations

from collections.abc import Mapping

from rules.correlate.bound import asked_of
from rules.desk.blind import logsources
from rules.rule import Rule
from soc.model.rule import RuleDoc


def doc_of(rule: Rule, by_id: Mapping[str, Rule]) -> RuleDoc:
    """`by_id`: all rules of its set."""
    return RuleDoc(
        id=rule.id,
        hash=rule.hash,
        title=rule.title,
        level=rule.level,
        text=rule.text,
        path=rule.path,
        titles={"en": rule.title} | ({"vi": rule.title_vi} if rule.title_vi else {}),
        description=rule.description or "",
        tags=rule.tags,
        runbook={lang: text for lang, text in (("vi", rule.runbook_vi), ("en", rule.runbook_en)) if text},
        falsepositives=rule.falsepositives,
        silent=rule.silent,
        logsources=logsources(rule, by_id),
        bases=rule.correlation.rules if rule.correlation else (),
        group_by=rule.correlation.group_by if rule.correlation else (),
        at_least=rule.correlation.at_least if rule.correlation else 0,
        asked=asked_of(rule.correlation) if rule.correlation else None,
        author=rule.author or "",
        license=rule.license or "",
        pipelines=rule.pipelines,
        filters=rule.filters,
    )
