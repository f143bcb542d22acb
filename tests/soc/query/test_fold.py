from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc.query.fold import fold


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Hưng Yên", "hung yen"),
        ("ĐẮK LẮK", "dak lak"),
        ("Ðà Nẵng", "da nang"),  # typed with an eth
        ("Tài khoản bị khoá", "tai khoan bi khoa"),
        ("GET /Login", "get /login"),
        ("Straße", "strasse"),
        ("登录", "登录"),
    ],
)
def test_letters_people_take_for_the_same_fold_to_one(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(st.text())
def test_composed_and_decomposed_text_fold_alike_and_once_is_enough(text: str) -> None:
    once = fold(text)
    assert fold(unicodedata.normalize("NFC", text)) == once
    assert fold(unicodedata.normalize("NFD", text)) == once
    assert fold(once) == once
