"""What people lay down about rules: how far each has come, what an organisation has of its own, and what is not to be shown.

Kept as policies (`soc.model.policy`): a `RuleSetting` under the rule's id, a `RuleException` under its own. Bodies are read strictly;
the condition of an exception is text here, and what it means is `rules.desk.exception`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from soc.errors import ConfigError
from soc.model.asked import Bounds
from soc.model.finding import LEVELS
from soc.model.org import Scope
from soc.model.rule import Stage

MAX_ORGS = 500
MAX_REASON = 1000
MAX_CONDITION = 2000
_OWN = ("level", "threshold", "timespan_s", "only")


@dataclass(frozen=True, slots=True)
class OrgSetting:
    """What one organisation has of its own; None: what holds for all.

    `only`: a condition; what the rule finds counts where it holds. `threshold`, `timespan_s`: of a correlation.
    """

    enabled: bool = True
    level: str | None = None
    threshold: float | None = None
    timespan_s: int | None = None
    only: str | None = None


@dataclass(frozen=True, slots=True)
class RuleSetting:
    """None: as the rule's text says. `orgs`: agency code -> what differs there. The others as in `OrgSetting`."""

    rule_id: str
    stage: Stage = Stage.LIVE
    level: str | None = None
    orgs: Mapping[str, OrgSetting] = field(default_factory=dict)
    threshold: float | None = None
    timespan_s: int | None = None
    only: str | None = None

    @property
    def bounds(self) -> Mapping[str, Bounds]:
        """Organisation (empty: all that have none of their own) -> its bounds, where any are set."""
        everybodys = Bounds(self.threshold, self.timespan_s)
        found = {"": everybodys}
        for org, own in self.orgs.items():
            threshold = everybodys.threshold if own.threshold is None else own.threshold
            found[org] = Bounds(threshold, own.timespan_s or everybodys.timespan_s)
        return {org: one for org, one in found.items() if one != (everybodys if org else Bounds())}

    def only_for(self, org: str) -> str | None:
        own = self.orgs.get(org)
        return (own.only if own else None) or self.only

    def level_for(self, org: str) -> str | None:
        """None: the rule's own."""
        own = self.orgs.get(org)
        return (own.level if own else None) or self.level

    def enabled_for(self, org: str) -> bool:
        own = self.orgs.get(org)
        return own is None or own.enabled

    def having(self, org: str, own: OrgSetting) -> RuleSetting:
        """With this for the organisation, or, where that is empty, for all (which has no switch: that is the stage)."""
        if org:
            return replace(self, orgs={**self.orgs, org: own})
        return replace(self, level=own.level, threshold=own.threshold, timespan_s=own.timespan_s, only=own.only)

    def inside(self, scope: Scope) -> RuleSetting:
        """What of it somebody with this scope may see."""
        return replace(self, orgs={org: own for org, own in self.orgs.items() if scope.allows(org)})


@dataclass(frozen=True, slots=True)
class RuleException:
    """Findings of `rule_id` that `condition` holds for are hidden, in these organisations (empty: all), until `expires_at` (ms; None: for
    good).

    `created_from`: the alert that gave the reason. `confirmed`: why it is right though it would have hidden alerts that were real.
    """

    id: str
    rule_id: str
    condition: str
    reason: str
    owner: str
    orgs: frozenset[str] = frozenset()
    expires_at: int | None = None
    created_from: str | None = None
    confirmed: str = ""

    def holds_in(self, org: str) -> bool:
        return not self.orgs or org in self.orgs

    def over(self, now: int) -> bool:
        return self.expires_at is not None and now >= self.expires_at

    def visible(self, scope: Scope) -> bool:
        """Whether it changes what somebody with this scope sees."""
        return scope.orgs is None or not self.orgs or bool(self.orgs & scope.orgs)


OUTSIDE = "outside"  # in place of an exception's id: what was found where the rule is narrowed to something else


@dataclass(frozen=True, slots=True)
class Hidden:
    """How many findings one exception (or what narrows its rule: `OUTSIDE`) hid in one organisation on one local day (`2026-11-22`) of
    event time: distinct events of a rule."""

    rule_id: str
    exception_id: str
    org: str
    day: str
    events: int


def setting_body(setting: RuleSetting) -> dict[str, object]:
    orgs = {org: {"enabled": own.enabled, **_laid(own)} for org, own in sorted(setting.orgs.items())}
    return {"stage": str(setting.stage), **_laid(setting), "orgs": orgs}


def _laid(own: RuleSetting | OrgSetting) -> dict[str, object]:
    """Names that an older govsoc would refuse are there only where something is laid down."""
    found = {"level": own.level, "threshold": own.threshold, "timespan_s": own.timespan_s, "only": own.only}
    return {name: value for name, value in found.items() if value is not None or name == "level"}


def setting_of(rule_id: str, body: Mapping[str, object]) -> RuleSetting:
    """Raises `ConfigError` that names the field."""
    read = _Body(f"rule {rule_id}", body, {"stage", "orgs", *_OWN})
    stage, orgs = read.text("stage", 10), body.get("orgs", {})
    if stage not in list(Stage):
        raise read.wrong("stage", f"one of {', '.join(Stage)}")
    if not isinstance(orgs, dict) or len(orgs) > MAX_ORGS:
        raise read.wrong("orgs", f"an object of at most {MAX_ORGS} organisations")
    own = read.own()
    return RuleSetting(
        rule_id, Stage(stage), own.level, {org: _own(rule_id, org, one) for org, one in orgs.items()},
        own.threshold, own.timespan_s, own.only,
    )  # fmt: skip


def _own(rule_id: str, org: str, body: object) -> OrgSetting:
    what = f"rule {rule_id}, organisation {org[:40]}"
    if not isinstance(body, dict) or not org:
        raise ConfigError(f"{what}: has to be an object")
    read = _Body(what, body, {"enabled", *_OWN})
    enabled = body.get("enabled", True)
    if not isinstance(enabled, bool):
        raise read.wrong("enabled", "true or false")
    return replace(read.own(), enabled=enabled)


def exception_body(exception: RuleException) -> dict[str, object]:
    return {
        "rule_id": exception.rule_id,
        "orgs": sorted(exception.orgs),
        "condition": exception.condition,
        "reason": exception.reason,
        "owner": exception.owner,
        "expires_at": exception.expires_at,
        "created_from": exception.created_from,
        "confirmed": exception.confirmed,
    }


def exception_of(id_: str, body: Mapping[str, object]) -> RuleException:
    """Raises `ConfigError` that names the field."""
    known = {"rule_id", "orgs", "condition", "reason", "owner", "expires_at", "created_from", "confirmed"}
    read = _Body(f"exception {id_}", body, known)
    orgs, expires_at = body.get("orgs", []), body.get("expires_at")
    if not isinstance(orgs, list) or len(orgs) > MAX_ORGS or not all(isinstance(org, str) and org for org in orgs):
        raise read.wrong("orgs", f"a list of at most {MAX_ORGS} agency codes; empty means all")
    if expires_at is not None and (not isinstance(expires_at, int) or isinstance(expires_at, bool)):
        raise read.wrong("expires_at", "ms since 1970, or null")
    return RuleException(
        id=id_,
        rule_id=read.text("rule_id", 400),
        condition=read.text("condition", MAX_CONDITION),
        reason=read.text("reason", MAX_REASON),
        owner=read.text("owner", 200),
        orgs=frozenset(orgs),
        expires_at=expires_at,
        created_from=read.text("created_from", 24) if body.get("created_from") is not None else None,
        confirmed=read.text("confirmed", MAX_REASON) if body.get("confirmed") else "",
    )


class _Body:
    """Reads the fields of one JSON object, and says which one is wrong."""

    def __init__(self, what: str, body: Mapping[str, object], known: set[str]) -> None:
        self._what, self._body = what, body
        if unknown := sorted(body.keys() - known):
            raise ConfigError(f"{what}: there is no field {unknown[0][:40]!r}: there are {', '.join(sorted(known))}")

    def wrong(self, name: str, needed: str) -> ConfigError:
        return ConfigError(f"{self._what}: {name} has to be {needed}")

    def text(self, name: str, most: int) -> str:
        value = self._body.get(name)
        if not isinstance(value, str) or not value.strip() or len(value) > most:
            raise self.wrong(name, f"a text of 1 to {most} characters")
        return value

    def level(self, name: str) -> str | None:
        value = self._body.get(name)
        if value is not None and value not in LEVELS:
            raise self.wrong(name, f"null or one of {', '.join(LEVELS)}")
        return str(value) if value is not None else None

    def number(self, name: str) -> float | None:
        value = self._body.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise self.wrong(name, "null or a number")
        return value

    def own(self) -> OrgSetting:
        """What all organisations may have together, or one of its own."""
        timespan_s = self.number("timespan_s")
        if timespan_s is not None and (not isinstance(timespan_s, int) or timespan_s < 1):
            raise self.wrong("timespan_s", "null or whole seconds, 1 or more")
        only = self.text("only", MAX_CONDITION) if self._body.get("only") is not None else None
        return OrgSetting(True, self.level("level"), self.number("threshold"), timespan_s, only)
