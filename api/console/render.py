"""Templates to pages: one Jinja environment a language, everything escaped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from babel import Locale
from babel.dates import format_timedelta
from babel.numbers import format_decimal, format_percent
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.console.language import LANGUAGES, choose, load_catalog
from api.console.markdown import markdown
from api.console.marks import mark
from api.console.plot import Drawn, bars, midnights
from api.console.said import load_said
from api.errors import Failure
from detector.people.words import limit_worded
from soc.model.asked import written
from soc.model.calendar import HOUR_MS
from soc.model.event import Value
from soc.model.harmless import Limit
from soc.model.rule import RuleDoc
from soc.model.unusual import Unusual

TEMPLATES = Path(__file__).parent / "templates"
_FORMATS = {"vi": "%H:%M:%S %d/%m/%Y", "en": "%Y-%m-%d %H:%M:%S"}
_UNITS = {
    "vi": {"addresses": "địa chỉ", "citizens": "công dân", "seconds": "giây", "bytes": "byte"}
}  # of what comes with govsoc
_DAYS = {"vi": "%d/%m/%Y", "en": "%Y-%m-%d"}


class Pages:
    """`zone`: how times are shown. `clock`: ms since 1970 UTC, for "3 minutes ago"."""

    def __init__(self, zone: tzinfo, clock: Callable[[], int]) -> None:
        self._environments = {language: _environment(language, zone, clock) for language in LANGUAGES}

    def html(self, request: Request, template: str, status: int = 200, **context: Any) -> HTMLResponse:
        language = choose(request)
        context.setdefault("account", None)
        text = (
            self._environments[language]
            .get_template(template)
            .render(request=request, here=path_of(request), **context)
        )
        return HTMLResponse(
            text, status, headers={"Content-Language": language, "Vary": "Accept-Language, Cookie, HX-Request"}
        )

    def failure(self, request: Request, failure: Failure, request_id: str) -> HTMLResponse:
        page = self.html(request, "failure.html", failure.status, failure=failure, request_id=request_id)
        page.headers.update(failure.headers)
        return page


def path_of(request: Request) -> str:
    """The address of this page on this site."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def local(path: str) -> str:
    """`path` where it leads to a page of this site, else the front page: nobody is sent elsewhere."""
    plain = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if plain else "/"


def _environment(language: str, zone: tzinfo, clock: Callable[[], int]) -> Environment:
    env = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
        auto_reload=False,
    )
    env.install_gettext_translations(load_catalog(language), newstyle=True)  # type: ignore[attr-defined]
    moment, locale = _FORMATS[language], Locale(language)

    def when(at: int) -> str:
        return datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).strftime(moment)

    def local_time(text: str) -> str:
        """Of a time in a history, which is RFC 3339."""
        return when(int(datetime.fromisoformat(text).timestamp() * 1000))

    def day(at: int) -> str:
        return datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).strftime(_DAYS[language])

    def ago(at: int) -> str:
        return format_timedelta(timedelta(milliseconds=at - clock()), add_direction=True, locale=locale)

    def in_language(texts: Mapping[str, str], otherwise: str = "") -> str:
        return texts.get(language) or otherwise or next(iter(texts.values()), "")

    def measured(value: float | None, unit: str) -> str:
        """A value of a series."""
        if value is None or value != value:
            return "–"
        if unit == "share":
            return format_percent(value, format="#,##0.#%", locale=locale)
        said = "" if unit == "events" else _UNITS.get(language, {}).get(unit, unit)
        places = "#,##0.#" if abs(value) >= 1 or value == 0 else "0.###"
        return f"{format_decimal(value, locale=locale, format=places)} {said}".strip()

    def limit_in_words(limit: Limit) -> str:
        """What is harmless of an entity."""
        return limit_worded(limit, language)

    def title(rule: RuleDoc | None, otherwise: str) -> str:
        return in_language(rule.titles, rule.title) if rule else otherwise

    def week(one: Unusual, label: str) -> Drawn | None:
        """What an entity did in the days before it was unusual, with the midnights of people's days."""
        return bars(
            one.week, one.week_since, HOUR_MS, (one.since, one.at), label, midnights(one.week_since, one.at, zone)
        )

    env.globals.update(language=language, languages=LANGUAGES, title=title, week=week)
    env.filters.update(
        when=when,
        day=day,
        local_time=local_time,
        ago=ago,
        number=lambda n: format_decimal(n, locale=locale, format="#,##0.##"),
        span=written,
        measured=measured,
        in_language=in_language,
        limit=limit_in_words,
        markdown=markdown,
        mark=mark,
        said=load_said(language),
        search=_search,
    )
    return env


def _search(value: Value, field: str) -> str:
    """The address of the search for events with this value."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return "/events?" + urlencode({"q": f'{field}:"{quoted}"'})
