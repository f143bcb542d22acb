"""A browser window that fails the test on what a person would not see, or only later."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright
from servers import need
from test_console import FLAGS

_LOCALES = {"vi": "vi-VN", "en": "en-GB"}


@contextmanager
def window(address: str, language: str) -> Iterator[Page]:
    """Fails on any script error, blocked resource or request to elsewhere."""
    need("chromium")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        context = browser.new_context(base_url=address, locale=_LOCALES[language])
        page, wrong = context.new_page(), list[str]()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.on("request", lambda asked: None if asked.url.startswith(address) else wrong.append(asked.url))
        yield page
        browser.close()
        assert wrong == []
