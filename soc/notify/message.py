"""Message: what one mail or webhook says about one alert or several. Everything that came from a log is made one harmless line first,
and escaped where it becomes HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from soc.model.alert import Alert
from soc.model.event import iso
from soc.model.rule import RuleDoc
from soc.notify.route import Route, rank
from soc.notify.text import line, subject
from soc.notify.words import WORDS

MOST_ALERTS = 50  # in one message; the others are counted
_RUNBOOK_LINES = 5
_FORMATS = {"vi": "%H:%M:%S %d/%m/%Y", "en": "%Y-%m-%d %H:%M:%S"}

# An alert with the rule as it was when it fired, where that is still known.
Told = tuple[Alert, RuleDoc | None]


@dataclass(frozen=True, slots=True)
class Message:
    """`id`: the same when the same deliveries are sent again, so that a receiver can drop repeats. `data`: what a webhook carries."""

    id: str
    subject: str
    text: str
    html: str
    data: dict[str, object]


class Writer:
    """`public_url`: where people find the console. `zone`: how times are told."""

    def __init__(self, public_url: str, zone: tzinfo) -> None:
        self._url = public_url.rstrip("/")
        self._zone = zone
        # `.txt` is no HTML: its lines have been made harmless, and escapes would be read as they stand.
        self._pages = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=select_autoescape(("html",)),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )

    def alerts(self, id_: str, route: Route, told: Sequence[Told]) -> Message:
        """One message about these alerts, the worst first."""
        ordered = sorted(told, key=lambda pair: (-rank(pair[0].level), pair[0].raised_at, pair[0].id))
        return self._message(id_, route, ordered[:MOST_ALERTS], len(ordered) - MOST_ALERTS)

    def test(self, id_: str, route: Route) -> Message:
        return self._message(id_, route, [], 0)

    def _message(self, id_: str, route: Route, told: Sequence[Told], more: int) -> Message:
        language, words = route.language, WORDS[route.language]
        shown = [self._shown(alert, rule, language) for alert, rule in told]
        headline = self._subject(route, told, len(told) + max(more, 0))
        context = {
            "language": language,
            "words": words,
            "subject": headline,
            "test": not told,
            "alerts": shown,
            "more": words["more"].format(n=more) if more > 0 else "",
            "queue": f"{self._url}/alerts",
            "why": words["why"].format(route=line(route.name)),
        }
        text, html = (self._pages.get_template(f"mail.{kind}").render(context) for kind in ("txt", "html"))
        data: dict[str, object] = {
            "version": 1,
            "id": id_,
            "route": route.id,
            "test": not told,
            "text": headline,
            "more": max(more, 0),
            "alerts": [self._data(alert, title["title"]) for (alert, _), title in zip(told, shown, strict=True)],
        }
        return Message(id_, headline, text, html, data)

    def _subject(self, route: Route, told: Sequence[Told], total: int) -> str:
        words = WORDS[route.language]
        if not told:
            return f"[govsoc] {words['test']}"
        alert, rule = told[0]
        level = words.get(alert.level, alert.level)
        if total == 1:
            return subject(f"[govsoc] {level}: {_title(alert, rule, route.language)} · {alert.entity} · {alert.org}")
        orgs = sorted({alert.org for alert, _ in told})
        where = ", ".join(orgs[:3]) + (" …" if len(orgs) > 3 else "")
        return subject(f"[govsoc] {total} {words['alerts']} ({level}): {where}")

    def _shown(self, alert: Alert, rule: RuleDoc | None, language: str) -> dict[str, object]:
        return {
            "level": WORDS[language].get(alert.level, line(alert.level)),
            "title": line(_title(alert, rule, language)),
            "org": line(alert.org),
            "entity": line(alert.entity),
            "entity_field": line(alert.entity_field),
            "count": alert.count,
            "first_seen": self._when(alert.first_seen, language),
            "last_seen": self._when(alert.last_seen, language),
            "url": self._link(alert),
            "todo": _first_steps(rule, language),
        }

    def _data(self, alert: Alert, title: object) -> dict[str, object]:
        return {
            "id": alert.id,
            "rule_id": line(alert.rule_id),
            "title": title,
            "level": line(alert.level),
            "org": line(alert.org),
            "entity_field": line(alert.entity_field),
            "entity": line(alert.entity),
            "count": alert.count,
            "first_seen": iso(alert.first_seen),
            "last_seen": iso(alert.last_seen),
            "raised_at": iso(alert.raised_at),
            "url": self._link(alert),
        }

    def _link(self, alert: Alert) -> str:
        return f"{self._url}/alerts/{alert.id}"

    def _when(self, ms: int, language: str) -> str:
        return datetime.fromtimestamp(ms / 1000, UTC).astimezone(self._zone).strftime(_FORMATS[language])


def _title(alert: Alert, rule: RuleDoc | None, language: str) -> str:
    return (rule.titles.get(language) if rule else None) or alert.title


def _first_steps(rule: RuleDoc | None, language: str) -> list[str]:
    """The first lines of the runbook, without the marks of Markdown that a mail would show as they are."""
    if rule is None or not rule.runbook:
        return []
    text = rule.runbook.get(language) or next(iter(rule.runbook.values()))
    lines = [found.strip().replace("**", "").replace("`", "") for found in text.splitlines()]
    return [line(found) for found in lines if found][:_RUNBOOK_LINES]
