"""Every message of the templates in every language, and the choice between them."""

from __future__ import annotations

import string

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from api.console.language import LANGUAGES, LOCALES
from api.console.render import TEMPLATES


def used():
    """Every message of the templates: a text, or (singular, plural)."""
    found = extract_from_dir(TEMPLATES, [("**.html", "jinja2.ext.babel_extract")])
    return {tuple(m) if isinstance(m, tuple) else m for _, _, m, _, _ in found}


def catalog(language):
    with (LOCALES / language / "messages.po").open("rb") as file:
        return read_po(file, locale=language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_is_translated_and_none_is_left_over(language):
    messages = {tuple(m.id) if m.pluralizable else m.id: m for m in catalog(language) if m.id}
    assert used() - messages.keys() == set(), "not in the catalog: run pybabel"
    assert messages.keys() - used() == set(), "no template says this any more"
    for message in messages.values():
        texts = message.string if message.pluralizable else (message.string,)
        assert all(texts), f"{message.id} is not translated"
        assert not message.fuzzy, f"{message.id} is only a guess"


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_keep_the_placeholders(language):
    for message in catalog(language):
        if message.pluralizable:
            assert all("%(num)s" in text for text in message.string), message.id
        elif message.id:
            assert "%(" not in message.string


def test_vietnamese_is_vietnamese():
    same = {m.id for m in catalog("vi") if m.id and m.id == m.string}
    assert same == set()
    letters = "".join("".join(m.string) for m in catalog("vi"))
    assert any(letter not in string.printable for letter in letters)


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        (None, "vi"),
        ("", "vi"),
        ("vi-VN,vi;q=0.9,en;q=0.8", "vi"),
        ("en-US,en;q=0.9", "en"),
        ("fr,en;q=0.4,vi;q=0.5", "vi"),
        ("fr", "vi"),
        ("en;q=x", "vi"),
        ("," * 5000, "vi"),
    ],
)
def test_the_browsers_language(client_of, accept, language):
    client = client_of()
    client.headers.pop("accept-language", None)
    answer = client.get("/sign-in", headers={"accept-language": accept} if accept is not None else {})
    assert answer.headers["content-language"] == language
    assert f'<html lang="{language}">' in answer.text


def test_the_switch_wins_and_comes_back_to_the_page(client_of):
    client = client_of()
    answer = client.get("/language/en?next=/sign-in")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert "Sign in" in client.get("/sign-in", headers={"accept-language": "vi"}).text
    client.get("/language/vi")
    assert "Đăng nhập" in client.get("/sign-in", headers={"accept-language": "en"}).text
    assert client.get("/language/de").status_code == 422
