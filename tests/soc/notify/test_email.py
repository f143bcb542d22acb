"""Mails to a real server: encryption, signing in, and what goes wrong."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from contextlib import suppress

import pytest
from aiosmtpd.smtp import AuthResult
from receivers import Mailbox

from deploy.ports import free_port
from soc.notify.channel import Undelivered
from soc.notify.email import Mailer, Server
from soc.notify.message import Message
from soc.notify.route import Channel, Route

NOW = 1_772_452_800_000
MESSAGE = Message("ab" * 12, "Chủ đề", "văn bản", "<p>x</p>", {})
ROUTE = Route("r", "n", Channel.EMAIL, ("lan@example.vn", "minh@example.vn"))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, cert


@pytest.fixture
def secure(certificate):
    """A server that takes mail only after STARTTLS and signing in."""
    key, cert = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    def authenticator(server, session, envelope, mechanism, data):
        return AuthResult(success=data.password == b"right", handled=False)

    mailbox = Mailbox(tls_context=context, require_starttls=True, auth_required=True, authenticator=authenticator)
    mailbox.start()
    yield mailbox
    mailbox.stop()


def send(server, route=ROUTE):
    with Mailer(server, lambda: NOW).open(route) as out:
        return out(MESSAGE)


def test_starttls_and_signing_in(secure, certificate):
    server = Server("localhost", secure.port, "starttls", "soc@example.vn", "soc", "right", certificate[1], 5)
    assert send(server) == f"localhost:{secure.port} took it for lan@example.vn, minh@example.vn"
    [mail] = secure.mails
    assert (mail["Subject"], mail["From"], mail["Auto-Submitted"]) == ("Chủ đề", "soc@example.vn", "auto-generated")
    assert mail["Date"] == "Mon, 02 Mar 2026 12:00:00 +0000"
    assert mail["Message-ID"] == f"<{MESSAGE.id}@example.vn>"


def test_a_wrong_password_is_said_and_never_shown(secure, certificate):
    server = Server("localhost", secure.port, "starttls", "soc@example.vn", "soc", "wrong-secret", certificate[1], 5)
    with pytest.raises(Undelivered, match="does not take the user and password") as failure:
        send(server)
    assert failure.value.again
    assert "wrong-secret" not in repr(server) + str(failure.value)


def test_a_certificate_that_is_not_trusted_or_of_another_name_gets_no_password(secure, certificate):
    for host, ca in (("localhost", None), ("127.0.0.1", certificate[1])):
        server = Server(host, secure.port, "starttls", "soc@example.vn", "soc", "right", ca, 5)
        with pytest.raises(Undelivered, match=r"certificate of .* is not trusted"):
            send(server)
    assert secure.mails == []


def test_a_server_without_starttls_gets_no_mail_in_the_clear(office):
    with pytest.raises(Undelivered, match="cannot do what the settings ask for") as failure:
        send(Server("127.0.0.1", office.mailbox.port, "starttls", "soc@example.vn", timeout_s=60))
    assert failure.value.again
    assert office.mailbox.mails == []


@pytest.mark.parametrize(
    ("refuse", "again", "said"),
    [
        ({"DATA": "451 try later"}, True, "answered 451 try later"),
        ({"DATA": "554 never"}, False, "answered 554 never"),
        ({"lan@example.vn": "450 greylisted"}, False, "the others have it, not taken for lan@example.vn: 450 greylisted"),
        ({"lan@example.vn": "550 unknown", "minh@example.vn": "450 later"}, True, "550 unknown; minh@example.vn: 450 later"),
        ({"lan@example.vn": "550 unknown", "minh@example.vn": "551 unknown"}, False, "550 unknown; minh@example.vn: 551 unknown"),
        ({"lan@example.vn": "550 <script>\u202e" + "x" * 400}, False, "550 <script>"),
    ],
)  # fmt: skip
def test_what_the_server_says_is_kept_short_and_says_whether_to_try_again(office, refuse, again, said):
    office.mailbox.refuse = refuse
    with pytest.raises(Undelivered) as failure:
        send(Server("127.0.0.1", office.mailbox.port, "none", "soc@example.vn", timeout_s=60))
    assert failure.value.again is again
    assert said in str(failure.value)
    assert len(str(failure.value)) <= 300
    assert str(failure.value).isprintable()


def test_no_server_and_none_there(office):
    with pytest.raises(Undelivered, match=r"notify\.smtp_host"):
        send(Server("", 25, "none", "soc@example.vn"))
    with pytest.raises(Undelivered, match="Connection refused") as failure:
        send(Server("127.0.0.1", free_port(), "none", "soc@example.vn", timeout_s=60))
    assert failure.value.again


@pytest.fixture
def tarpit():
    """Greets one line at a time, and never comes to an end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        over = threading.Event()

        def drip():
            with suppress(OSError):
                peer, _ = listener.accept()
                with peer:
                    while not over.wait(0.05):
                        peer.sendall(b"220-wait\r\n")

        thread = threading.Thread(target=drip)
        thread.start()
        yield listener.getsockname()[1]
        over.set()
        thread.join()


@pytest.mark.parametrize("security", ["none", "tls", "starttls"])
def test_a_server_that_answers_without_end_holds_us_up_no_longer_than_the_timeout(tarpit, security):
    server, began = Server("127.0.0.1", tarpit, security, "soc@example.vn", timeout_s=1), time.monotonic()
    with pytest.raises(Undelivered) as failure:
        send(server)
    assert failure.value.again
    assert time.monotonic() - began < 60
    assert security == "tls" or "did not answer in time" in str(failure.value)


def test_a_server_that_never_shakes_hands_is_left_as_well():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        began = time.monotonic()
        with pytest.raises(Undelivered, match="did not answer in time"):
            send(Server("127.0.0.1", listener.getsockname()[1], "tls", "soc@example.vn", timeout_s=1))
    assert time.monotonic() - began < 60


def test_tls_from_the_first_byte(certificate):
    key, cert = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    mailbox = Mailbox(ssl_context=context)
    mailbox.start()
    try:
        said = send(Server("localhost", mailbox.port, "tls", "soc@example.vn", ca_file=cert, timeout_s=60))
        with pytest.raises(Undelivered, match=r"certificate of .* is not trusted"):
            send(Server("127.0.0.1", mailbox.port, "tls", "soc@example.vn", ca_file=cert, timeout_s=60))
    finally:
        mailbox.stop()
    assert said.startswith(f"localhost:{mailbox.port} took it")
    assert len(mailbox.mails) == 1
