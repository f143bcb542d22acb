"""Webhooks against a real server that verifies the signature."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from receivers import Hook

from soc.notify.channel import Undelivered
from soc.notify.message import Message
from soc.notify.route import Channel, Route
from soc.notify.webhook import Webhooks, signature

MESSAGE = Message("ab" * 12, "s", "t", "h", {"version": 1, "text": "<script>alert(1)</script>"})


def send(office, route, **options):
    with Webhooks(office.allowed, office.clock, **{"timeout_s": 60, **options}).open(route) as out:
        return out(MESSAGE)


@pytest.fixture
def route(office):
    return Route("r", "n", Channel.WEBHOOK, url=office.hook.url, secret="s3cret")


def test_the_signature_of_a_known_body():
    """What `printf '1700000000.{}' | openssl dgst -sha256 -hmac s3cret` gives."""
    made = signature("s3cret", "1700000000", b"{}")
    said = subprocess.run(
        ["openssl", "dgst", "-sha256", "-hmac", "s3cret"], input=b"1700000000.{}", capture_output=True, check=True
    )
    assert said.stdout.split()[-1].decode() == made


def test_a_wrong_secret_is_not_taken_and_not_tried_again(office, route):
    with pytest.raises(Undelivered, match="answered 403: it does not take our signature") as failure:
        send(office, replace(route, secret="other"))
    assert not failure.value.again


def test_what_is_sent_is_json_that_hurts_no_page(office, route):
    assert send(office, route) == "127.0.0.1 answered 200"
    assert office.hook.got == [MESSAGE.data]
    assert b"<script>" not in office.hook.raw[0]
    assert office.hook.headers[0]["X-Govsoc-Delivery"] == MESSAGE.id


def test_a_redirect_is_not_followed(office, route):
    other = Hook("s3cret")
    other.start()
    office.hook.answer = (307, {"Location": other.url})
    with pytest.raises(Undelivered, match=r"answered 307.*not followed") as failure:
        send(office, route)
    other.stop()
    assert not failure.value.again
    assert other.headers == []


@pytest.mark.parametrize(
    ("status", "again"), [(400, False), (404, False), (410, False), (408, True), (429, True), (500, True), (503, True)]
)
def test_an_answer_says_whether_to_try_again_and_its_text_is_shown_to_nobody(office, route, status, again):
    office.hook.answer = (status, {})
    with pytest.raises(Undelivered) as failure:
        send(office, route)
    assert (str(failure.value), failure.value.again) == (f"127.0.0.1 answered {status}", again)


def answering(*parts, pause_s=0.0):
    """A server that sends these bytes to whoever connects, slowly; returns its port."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = server.accept()
        done = threading.Event()
        with connection, server:
            connection.recv(65536)
            try:
                for part in parts:
                    connection.sendall(part)
                    done.wait(pause_s)
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    return server.getsockname()[1]


@pytest.mark.parametrize(
    "said",
    [b"220 mail.example ESMTP\r\n", b"", b"\x00" * 100, b"HTTP/1.1 200 " + b"x" * 70_000, b"HTTP/1.1 abc\r\n\r\n"],
)
def test_what_is_no_web_server_is_said_to_be_none(office, route, said):
    with pytest.raises(Undelivered, match=r"did not answer as a web server does|reset") as failure:
        send(office, replace(route, url=f"http://127.0.0.1:{answering(said)}/"))
    assert failure.value.again


def test_who_answers_a_byte_at_a_time_is_cut_off(office, route):
    """Each byte comes within the timeout of a socket; all together they would take hours."""
    port = answering(b"HTTP/1.1 200 OK\r\n", *[b"X"] * 100_000, pause_s=0.05)
    with pytest.raises(Undelivered, match="did not answer in time") as failure:
        send(office, replace(route, url=f"http://127.0.0.1:{port}/"), timeout_s=0.5)
    assert failure.value.again


def test_a_body_a_byte_at_a_time_changes_nothing_about_the_answer(office, route):
    port = answering(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", *[b"X"] * 100_000, pause_s=0.05)
    where = replace(route, url=f"http://127.0.0.1:{port}/")
    assert send(office, where, timeout_s=3) == "127.0.0.1 answered 200"


def test_an_endless_answer_is_not_read(office, route):
    port = answering(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 65536] * 200)
    assert send(office, replace(route, url=f"http://127.0.0.1:{port}/")) == "127.0.0.1 answered 200"


@pytest.fixture
def certificate(tmp_path):
    """A certificate for `hook.example.vn`, signed by itself."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
         "-subj", "/CN=hook.example.vn", "-addext", "subjectAltName=DNS:hook.example.vn"],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, cert


def test_https_checks_the_certificate_against_the_name(office, route, certificate):
    key, cert = certificate

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    class Quiet(HTTPServer):
        def handle_error(self, *_):
            pass

    server = Quiet(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    port = server.server_address[1]

    def to(host, **options):
        where = replace(route, url=f"https://{host}:{port}/")
        return send(office, where, resolver=lambda *_: ["127.0.0.1"], **options)

    trusted = ssl.create_default_context(cafile=str(cert))
    assert to("hook.example.vn", tls=trusted) == "hook.example.vn answered 204"
    for host, options in (("hook.example.vn", {}), ("other.example.vn", {"tls": trusted})):
        with pytest.raises(Undelivered, match=f"the certificate of {host} is not trusted"):
            to(host, **options)
    server.shutdown()
    server.server_close()
