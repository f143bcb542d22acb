"""What may stand between govsoc and Elasticsearch: it passes requests on, or answers them itself."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import urlsplit


class Answer(NamedTuple):
    status: int
    body: bytes = b"<html><h1>no</h1></html>"
    type: str = "text/html"
    own: bool = False  # as Elasticsearch itself would mark it


class Asked(NamedTuple):
    method: str
    path: str
    body: bytes


class Proxy:
    """`answer`: its own answer to a request, or None to pass that on to `target`."""

    def __init__(self, port: int, target: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.target = urlsplit(target)
        self.asked: list[Asked] = []
        self.answer: Callable[[Asked], Answer | None] = lambda _: None


@contextmanager
def proxy(target: str = "http://127.0.0.1:1") -> Iterator[Proxy]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = Asked(self.command, self.path, body)
            between.asked.append(asked)
            own = between.answer(asked)
            if own is None:
                self._pass_on(body)
                return
            self.send_response(own.status)
            self.send_header("Content-Type", own.type)
            self.send_header("Content-Length", str(len(own.body)))
            if own.own:
                self.send_header("X-Elastic-Product", "Elasticsearch")
            self.end_headers()
            self.wfile.write(own.body)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _any  # noqa: N815

        def _pass_on(self, body: bytes) -> None:
            there = http.client.HTTPConnection(between.target.hostname or "", between.target.port, timeout=30)
            headers = {name: value for name, value in self.headers.items() if name.lower() != "accept-encoding"}
            there.request(self.command, self.path, body, headers)
            answer = there.getresponse()
            said = answer.read()
            there.close()
            self.send_response(answer.status)
            for name in ("Content-Type", "X-Elastic-Product"):
                if value := answer.getheader(name):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    between = Proxy(server.server_address[1], target)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield between
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
