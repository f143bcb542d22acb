"""Reading what is given in pages to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from soc.store.base import Page

T = TypeVar("T")


def every(page: Callable[[str | None], Page[T]]) -> Iterator[T]:
    """Each item in turn. `page`: the page at a cursor, None for the first; asked only when the one before has been taken."""
    cursor = None
    while True:
        some = page(cursor)
        yield from some.items
        if (cursor := some.next) is None:
            return
