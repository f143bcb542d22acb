"""A person in front of the console in a real browser: what they read is looked up in the catalog of their language, and each page that
they look at is held to what any page owes them."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from babel.messages.pofile import read_po
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from servers import Product, need

from api.console.language import LANGUAGES, LOCALES, load_catalog
from api.console.said import PLACEHOLDER, said_messages

WIDTH, HEIGHT = 1366, 768
PATIENCE_MS = 60_000
_FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
_LOCALES = {"vi": "vi-VN", "en": "en-GB"}
_AROUND = " \t\n·:;,.…()←→✕?–"  # what stands around a message, and is none of it
# Every text that a person can read, but for what comes from logs, rules and programs.
_READ = """() => {
  const foreign = "code, pre, mark, textarea, blockquote, .raw, .entity, table.fields td, [lang]:not(html)";
  const texts = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    if (!parent.closest(foreign) && (parent.closest("option") || parent.checkVisibility())) texts.push(walker.currentNode.data);
  }
  for (const name of ["placeholder", "title", "aria-label"])
    for (const one of document.querySelectorAll(`[${name}]`)) texts.push(one.getAttribute(name));
  return [...texts, document.title];
}"""


class Words:
    """The console's texts in one language."""

    def __init__(self, language: str) -> None:
        self._catalog = load_catalog(language)
        other = next(one for one in LANGUAGES if one != language)
        others = _only_of(other) | _refusals(other)
        counted = {text for text in others if "%(num)s" in text}
        # A text of several words wherever it stands; one or two words may be a name, and have to be all there is.
        self._long = [text for text in others - counted if len(text.split()) > 2]
        self._short = {text.strip(_AROUND) for text in others if len(text.split()) <= 2}
        self._counted = [re.compile(re.escape(text).replace(re.escape("%(num)s"), r"[\d.,]+")) for text in counted]

    def __call__(self, message: str, number: int | None = None) -> str:
        """What the console says for it; with a number, of a message that has a plural."""
        assert message in _messages("en"), f"the console does not say {message!r} any more"
        if number is None:
            return self._catalog.gettext(message)
        plural = _messages("en")[message].id[1]
        return self._catalog.ngettext(message, plural, number) % {"num": number}

    def foreign(self, text: str) -> bool:
        """Whether it holds a message of the other language."""
        plain = " ".join(text.split())
        return (
            plain.strip(_AROUND) in self._short
            or any(one in plain for one in self._long)
            or any(one.search(plain) for one in self._counted)
        )


@cache
def _messages(language: str) -> dict:
    with (LOCALES / language / "messages.po").open("rb") as file:
        return {m.id[0] if m.pluralizable else m.id: m for m in read_po(file, locale=language) if m.id}


def _only_of(language: str) -> set[str]:
    """Every text of this language that is not the same in the other one."""
    texts = [
        {text for m in _messages(one).values() for text in (m.string if m.pluralizable else (m.string,))}
        for one in (language, *(other for other in LANGUAGES if other != language))
    ]
    return texts[0] - texts[1]


def _refusals(language: str) -> set[str]:
    """What stands between the placeholders of all that the service says no with; of one or two words it may be anything."""
    messages = said_messages("vi").items()
    texts = [said if language == "vi" else english for english, said in messages]
    parts = {part.strip(_AROUND) for text in texts for part in PLACEHOLDER.split(text)[::2]}
    return {part for part in parts if len(part.split()) > 2}


@dataclass
class Day:
    """One person's day. `name`: of its photographs. `wrong`: what the browser complained of; the day fails by it when it is over."""

    product: Product
    page: Page
    language: str
    name: str
    wrong: list[str] = field(default_factory=list)
    looked: int = 0

    def __post_init__(self) -> None:
        self.say = Words(self.language)
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", lambda said: self.wrong.append(said.text) if said.type == "error" else None)
        self.page.on("dialog", lambda dialog: self.wrong.append(f"a script ran: {dialog.message}"))
        self.page.on("request", lambda asked: self._asked(asked.url))

    def _asked(self, url: str) -> None:
        if not url.startswith((self.product.url, "data:")):
            self.wrong.append(f"asked elsewhere: {url}")

    def sign_in(self, name: str, password: str) -> None:
        """On the page for it, which leads on to the one that was asked for."""
        self.sees(self.say("Sign in"))
        self.fill("Account", name)
        self.fill("Password", password)
        self.press("Sign in")
        self.sees(name, within="header")

    def open(self, path: str) -> None:
        self.page.goto(path)

    def go(self, message: str) -> None:
        """By the navigation at the top."""
        self.page.get_by_role("navigation").get_by_role("link", name=self.say(message), exact=True).click()
        self.sees(self.say(message), within="h1")

    def press(self, message: str, within: str = "main") -> None:
        self.page.locator(within).get_by_role("button", name=self.say(message), exact=True).click()

    def follow(self, text: str, within: str = "main") -> None:
        """The first link with this text, which may have more around it."""
        self.page.locator(within).get_by_role("link", name=text).first.click()

    def fill(self, message: str, text: str, within: str = "main") -> None:
        self.named(message, within).fill(text)

    def named(self, message: str, within: str = "main") -> Locator:
        """The field whose label begins with it: around a text field, a label holds what is filled in, too."""
        begins = re.compile(r"^\s*" + re.sub(r"[^\w\s]", r"\\\g<0>", self.say(message)))
        label = self.page.locator(within).locator("label").filter(has_text=begins)
        return label.locator("input, textarea, select").first

    def pick(self, message: str, option: str, within: str = "main") -> None:
        self.page.locator(within).get_by_role("combobox", name=self.say(message)).select_option(label=option)

    def choose(self, message: str, within: str = "main") -> None:
        """The choice that begins with it."""
        self.page.locator(within).get_by_role("radio", name=self.say(message)).check()

    def sees(self, *texts: str, within: str = "main", patience_ms: float = PATIENCE_MS) -> None:
        """All of these within reasonable time, on a page as it has to be."""
        for text in texts:
            expect(self.page.locator(within).first).to_contain_text(text, timeout=patience_ms)
        self.look()

    def misses(self, *texts: str, within: str = "main") -> None:
        for text in texts:
            expect(self.page.locator(within).first).not_to_contain_text(text, timeout=PATIENCE_MS)
        self.look()

    def look(self) -> None:
        """The page is in the language, fits on the screen, and ran nothing that came in a log."""
        page = self.page
        page.wait_for_load_state()
        assert page.evaluate("document.documentElement.lang") == self.language
        assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH, f"{page.url} is too wide"
        assert page.title() != "owned"
        left = [text for text in page.evaluate(_READ) if self.say.foreign(text)]
        assert left == [], f"not in {self.language} on {page.url}"
        self.looked += 1
        if folder := os.environ.get("SOC_SCREENSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(folder) / f"{self.name}-{self.looked:02}.png", full_page=True)

    @contextmanager
    def refused(self, status: int) -> Iterator[None]:
        """What is done in here is answered with this status, which the browser tells as an error."""
        with self.page.expect_console_message(lambda said: f"with a status of {status}" in said.text) as told:
            yield
        self.wrong.remove(told.value.text)


@contextmanager
def chromium() -> Iterator[Browser]:
    need("chromium")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=_FLAGS)
        yield browser
        browser.close()


@contextmanager
def day_of(browser: Browser, product: Product, language: str, name: str) -> Iterator[Day]:
    context = browser.new_context(
        base_url=product.url, locale=_LOCALES[language], viewport={"width": WIDTH, "height": HEIGHT}
    )
    day = Day(product, context.new_page(), language, name)
    yield day
    context.close()
    assert day.wrong == []
