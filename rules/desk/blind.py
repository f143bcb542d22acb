"""Which rules see nothing any more when a source falls silent."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from rules.logsource import Origin, origins
from rules.rule import Rule, singles
from soc.model.rule import LogSource, RuleDoc

# A syslog source carries what many programs write. Sign-ins are in it nearly always; whether a web server is, nobody can know.
_CARRIED: Mapping[str, tuple[str, ...]] = {"syslog": ("syslog", "linux.auth")}


def logsources(rule: Rule, by_id: Mapping[str, Rule]) -> tuple[LogSource, ...]:
    """The log sources of which each can make the rule fire: its own, or those of the rules that a correlation counts."""
    return tuple(dict.fromkeys(base.logsource for base in singles(rule, by_id)))


def blind(rules: Sequence[RuleDoc], lost: str, live: Collection[str]) -> list[RuleDoc]:
    """The rules that logs of type `lost` fed, and that no log of the types `live` feeds.

    A rule whose log source is not known is not named, nor one that only feeds correlations: they are named themselves.
    """
    return [
        rule
        for rule in rules
        if not rule.silent and _feeds(lost, rule) and not any(_feeds(type_, rule) for type_ in live)
    ]


def unfed(rules: Sequence[RuleDoc], live: Collection[str]) -> frozenset[str]:
    """Ids of the rules that no log of the types `live` feeds, in the same sense. They cost nothing."""
    datasets = {dataset for type_ in live for dataset in _CARRIED.get(type_, (type_,))}
    known = [origin for dataset in datasets for origin in origins(dataset)]
    wanted = {one for rule in rules for one in rule.logsources}  # a hundred, of thousands of rules
    fed = {one for one in wanted if any(_meant(origin, one) for origin in known)}
    return frozenset(rule.id for rule in rules if rule.logsources and fed.isdisjoint(rule.logsources))


def _feeds(type_: str, rule: RuleDoc) -> bool:
    """Whether events of a source of this type may make the rule fire."""
    datasets = _CARRIED.get(type_, (type_,))
    return any(
        _meant(origin, wanted) for dataset in datasets for origin in origins(dataset) for wanted in rule.logsources
    )


def _meant(origin: Origin, wanted: LogSource) -> bool:
    """Whether all that the rule asks for is known to be so. Stricter than `Origin.admits`, which lets a rule look at whatever does not
    contradict it: a rule for web servers may look at sign-ins, and is blind all the same when the web server falls silent."""
    return (
        wanted.product in (None, origin.product)
        and wanted.category in (None, origin.category)
        and (wanted.service is None or wanted.service in origin.services)
    )
