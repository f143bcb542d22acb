"""Lines that somebody pastes or uploads to see what would become of them: read in memory, with a limit, after it is known by whom."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import UploadFile

from api.auth import Analyst
from api.errors import Refused
from api.middleware import MAX_PASTED_BYTES
from api.state import State
from collector.preview import NOBODY, Preview, preview
from rules.desk.trial import Outcome
from soc.errors import Busy, ConfigError, NotFound
from soc.model.org import Scope

_MAX_PART = MAX_PASTED_BYTES  # the whole body may be so long, so no part of it is ever put into a file
_AT_ONCE = threading.BoundedSemaphore(2)


@dataclass(frozen=True, slots=True)
class Pasted:
    """`lines`: raw, for the preview only. `fields`: the other fields of a form."""

    lines: bytes
    fields: dict[str, str]


async def _pasted(request: Request, _: Analyst) -> Pasted:
    """The body as it is, or of a form the file, else the text field, that is called `lines` or `file`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        return Pasted(await request.body(), {})
    async with request.form(max_files=1, max_fields=10, max_part_size=_MAX_PART) as form:
        texts = {name: value for name, value in form.items() if isinstance(value, str)}
        lines = texts.pop("lines", "").encode()
        for value in form.values():
            if isinstance(value, UploadFile) and (content := await value.read()):
                lines = content
    return Pasted(lines, texts)


PastedLines = Annotated[Pasted, Depends(_pasted)]


def try_lines(
    state: State, lines: bytes, source_type: str | None, zone: str, org: str, scope: Scope
) -> tuple[Preview, Outcome]:
    """What would become of the lines as `org`'s, and which of the running rules would match. An empty `org` is the caller's, where the
    caller has only one. Raises `NotFound`, `Refused` and `Busy`."""
    if org and not scope.allows(org):
        raise NotFound("there is no such organisation, or it is not one of yours")
    if not org and scope.orgs and len(scope.orgs) == 1:
        [org] = scope.orgs
    if not _AT_ONCE.acquire(timeout=1):
        raise Busy("others are trying their lines: wait a moment")
    try:
        with refusing():
            found = preview(lines, state.clock(), source_type=source_type, zone=zone, org=org or NOBODY)
        running = state.stores.alerts.running()[0]
        return found, state.rehearsal.over(running, found.events, state.tuning(), state.clock())
    finally:
        _AT_ONCE.release()


@contextmanager
def refusing() -> Iterator[None]:
    """What is wrong with an argument is the caller's to mend: an answer, not a fault of ours."""
    try:
        yield
    except ConfigError as error:
        raise Refused(str(error)) from None
