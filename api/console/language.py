"""Vietnamese and English: catalogs read from `locales/<language>/messages.po` at start, and the choice for a request."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations
from fastapi import Request

LANGUAGES = ("vi", "en")  # the first is the default
LOCALES = Path(__file__).parent / "locales"
COOKIE = "govsoc_language"


@cache
def load_catalog(language: str) -> Translations:
    """No compiled file to forget: the `.po` people edit is what is read."""
    compiled = BytesIO()
    with (LOCALES / language / "messages.po").open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return Translations(compiled)


def choose(request: Request) -> str:
    """The language of the switch, else the first of ours that the browser asks for, else Vietnamese."""
    if (chosen := request.cookies.get(COOKIE)) in LANGUAGES:
        return chosen
    wanted = []
    for part in request.headers.get("accept-language", "")[:200].split(","):
        tag, _, weight = part.partition(";q=")
        try:
            wanted.append((-float(weight or 1), tag.strip().lower()[:2]))
        except ValueError:
            continue
    return next((tag for _, tag in sorted(wanted, key=lambda w: w[0]) if tag in LANGUAGES), LANGUAGES[0])
