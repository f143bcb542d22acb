"""One push request: who sends, in which form, and its records stored; the answer waits until they are on disk.

A record's position is `<Idempotency-Key, or a keyed digest of the body>:<byte offset of the line>`, so a sender that repeats a
request whose answer it did not get stores nothing twice. A body is unpacked twice, first to digest it and to check every limit,
then to deliver it in parts, so that a request holds no more memory than it sent.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from collector import beats
from collector.base import DeliverTo, Record
from collector.body import Limits, RefusedError, elements, lines, parts
from soc.errors import Busy, StoreUnavailable

_FORM = "application/x-www-form-urlencoded"  # what curl says of `--data-binary @FILE` unless it is told otherwise
_TYPES = {
    "",
    "text/plain",
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/json",
    _FORM,
}
_KEY_BYTES = 255


class Ingest:
    """What a request asks for, done. Every method raises `RefusedError` with the answer to a request that cannot be."""

    def __init__(
        self,
        deliver_to: DeliverTo,
        authenticate: Callable[[str], str | None],
        digest: Callable[[str, bytes], str],
        limits: Limits,
        refused_token: Callable[[str], None],
    ) -> None:
        self._refused_token = refused_token
        self._deliver_to = deliver_to
        self._authenticate = authenticate
        self._digest = digest
        self._limits = limits
        self._busy: Counter[str] = Counter()  # requests by source; touched by the event loop only
        self._array = threading.Lock()

    async def known(self, request: Request, answer: dict[str, Any]) -> dict[str, Any]:
        """The answer, for who has a token. Raises `RefusedError`."""
        await self._source(request)
        return answer

    async def bulk(self, request: Request) -> dict[str, Any]:
        """What Elasticsearch would answer to a bulk request, once its records are on disk. Raises `RefusedError`."""
        source_id = await self._source(request)
        packed = _packed(request)
        with self._slot(source_id):
            body = await self._body(request)
            return await run_in_threadpool(self._store_bulk, source_id, body, packed)

    async def _source(self, request: Request) -> str:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        token = beats.token_of(token.strip()) if scheme.lower() == "apikey" else token.strip()
        source_id = None
        if scheme.lower() in ("bearer", "apikey") and token:
            source_id = await run_in_threadpool(self._authenticate, token)
        if source_id is None:
            self._refused_token(token)
            raise not_known()
        return source_id

    async def handle(self, request: Request) -> dict[str, int]:
        """The number of records stored. Raises `RefusedError`."""
        source_id = await self._source(request)
        packed, array_allowed = _format(request)
        key = request.headers.get("idempotency-key", "")
        if len(key) > _KEY_BYTES:
            raise RefusedError(400, f"The Idempotency-Key is longer than {_KEY_BYTES} characters.")
        with self._slot(source_id):
            body = await self._body(request)
            accepted = await run_in_threadpool(self._store, source_id, body, packed, array_allowed, key)
        return {"accepted": accepted}

    @contextmanager
    def _slot(self, source_id: str) -> Iterator[None]:
        limits, busy = self._limits, self._busy
        if busy[source_id] >= limits.at_once_per_source:
            most = limits.at_once_per_source
            raise RefusedError(429, f"More than {most} requests of this source at once. Try again.", retry_after_s=1)
        if busy.total() >= limits.at_once:
            raise RefusedError(429, "Too many requests at once. Try again.", retry_after_s=1)
        busy[source_id] += 1
        try:
            yield
        finally:
            busy[source_id] -= 1

    async def _body(self, request: Request) -> bytearray:
        most = self._limits.body_bytes
        too_long = RefusedError(413, f"The body is longer than {most} bytes. Send it in parts, or with gzip.")
        if (
            request.headers.get("content-length", "0").isdecimal()
            and int(request.headers.get("content-length", 0)) > most
        ):
            raise too_long
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.upload_s):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > most:
                        raise too_long
        except TimeoutError:
            raise RefusedError(408, f"The body did not arrive within {self._limits.upload_s:g} s.") from None
        except ClientDisconnect:
            raise RefusedError(400, "The connection ended in the middle of the body.") from None
        return body

    def _store(self, source_id: str, body: bytearray, packed: bool, array_allowed: bool, key: str) -> int:
        checksum, head = self._look_over(body, packed)
        prefix = f"{key or self._digest(source_id, checksum)}:"
        text = parts(body, packed, self._limits)
        if array_allowed and head == b"[":
            with self._array:
                records = elements(text, prefix, self._limits)
        else:
            records = lines(text, prefix, self._limits)
        return self._deliver(source_id, records)

    def _store_bulk(self, source_id: str, body: bytearray, packed: bool) -> dict[str, Any]:
        checksum, _ = self._look_over(body, packed)
        prefix = f"{self._digest(source_id, checksum)}:"
        answers: list[dict[str, object]] = []

        def records() -> Iterator[Record]:
            found = lines(parts(body, packed, self._limits), "", self._limits)
            for item in beats.items(found, prefix, partial(self._digest, source_id)):
                answers.append(item.answer)
                if item.record is not None:
                    yield item.record

        accepted = self._deliver(source_id, records())
        return {"took": 0, "errors": accepted < len(answers), "items": answers}

    def _look_over(self, body: bytearray, packed: bool) -> tuple[bytes, bytes]:
        """A checksum of the whole, and its first letter. Raises `RefusedError` for what is over a limit."""
        checksum, head, newlines = hashlib.sha256(), b"", 0
        for part in parts(body, packed, self._limits):
            checksum.update(part)
            head = head or part.lstrip()[:1]
            newlines += part.count(b"\n")
        if newlines > self._limits.records:
            raise RefusedError(413, f"More than {self._limits.records} lines. Send them in parts.")
        return checksum.digest(), head

    def _deliver(self, source_id: str, records: Iterator[Record]) -> int:
        accepted = 0
        try:
            while batch := list(islice(records, self._limits.batch)):
                self._deliver_to(source_id, batch)
                accepted += len(batch)
        except Busy as error:
            raise RefusedError(429, f"The collector is full for now: {error}", error.retry_after_s) from error
        except StoreUnavailable as error:
            raise RefusedError(503, f"Nothing can be stored at the moment: {error}", retry_after_s=5) from error
        return accepted


def not_known() -> RefusedError:
    return RefusedError(401, "The token is missing or not valid. Send `Authorization: Bearer <token of the source>`.")


def _packed(request: Request) -> bool:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise RefusedError(415, "This Content-Encoding is not supported. Use gzip, or none.")
    return encoding == "gzip"


def _format(request: Request) -> tuple[bool, bool]:
    """(gzip?, may it be a JSON array?)"""
    packed = _packed(request)
    type_ = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if type_ not in _TYPES:
        raise RefusedError(
            415, "This Content-Type is not supported. Use application/x-ndjson, application/json or text/plain."
        )
    return packed, type_ == "application/json"
