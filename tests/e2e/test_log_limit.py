"""The event log grows to its limit while Elasticsearch is away: sources are slowed down, and what was accepted arrives once."""

from __future__ import annotations

import re
import select
import socket
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from elastic import event_values
from load import enrol, indexed, logged_ids, said
from servers import Product, eventually

from deploy.elasticsearch.cluster import Node

pytestmark = pytest.mark.server

LIMIT = 32 << 20  # of which the write-ahead log of one day may be half
LONG = "x" * 3000


@pytest.fixture
def product(elastic, data_dir) -> Iterator[Product]:
    product = Product(data_dir, env={"SOC_STORE__URL": elastic.url, "SOC_STORE__MAX_BYTES": str(LIMIT)})
    yield product
    product.stop()


@pytest.fixture
def server(elastic) -> Iterator[Node]:
    """The node that the product works on, running again after the test."""
    node = elastic.nodes[0]
    yield node
    if not node.running:
        node.start()


def line(name: str) -> str:
    stamp = (datetime.now(UTC) - timedelta(minutes=1)).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'10.0.0.1 - - [{stamp}] "GET /{name}?{LONG} HTTP/1.1" 200 5 "-" "Mozilla/5.0"'


def attack(number: int) -> str:
    return line("tra-cuu").replace(LONG, f"ma={number}%27%20UNION%20SELECT%20ten,so%20FROM%20ho_so--")


def push(product: Product, token: str, body: str) -> tuple[int, str]:
    """Status and `Retry-After`."""
    request = urllib.request.Request(product.ingest_url, body.encode(), {"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            return answer.status, ""
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("Retry-After", "")


class Sender:
    """Sends numbered messages by syslog over TCP, and notices when it has to wait."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setblocking(False)
        self._rest = b""
        self.begun = 0

    def send(self, more: bool) -> bool:
        """Whatever can be sent within two seconds; `more`: also begin new messages. False when it had to wait longer."""
        while self._rest or more:
            if not self._rest:
                text = f"Failed password for m{self.begun} from 203.0.113.7 port 1 ssh2 {LONG}"
                self._rest = f"<86>1 {datetime.now(UTC).isoformat()} may-chu sshd 7 - - {text}\n".encode()
                self.begun += 1
            if not select.select([], [self._socket], [], 2)[1]:
                return False
            self._rest = self._rest[self._socket.send(self._rest) :]
        return True

    def close(self) -> None:
        self._socket.close()


def test_a_full_log_slows_every_source_and_what_was_accepted_arrives_once(product, server, elastic, request):
    folder = product.data_dir.parent
    log = folder / "access.log"
    log.touch()
    token = enrol(product)
    product.soc("sources", "add", "file", "--type", "nginx.access", "--org", "hungyen", "--path", str(log))
    product.soc("sources", "add", "server", "--type", "syslog", "--org", "hungyen", "--from", "127.0.0.1")
    product.start()
    eventually(lambda: push(product, token, attack(0))[0] == 200, 10, "the token is known")
    eventually(product.alerts, 60, "an alert")
    eventually(lambda: indexed(product) >= 1, 30, "and its event")

    server.stop()
    accepted: list[str] = []
    batches = ([f"push{i}" for i in range(start, start + 400)] for start in range(0, 100_000, 400))
    for names in batches:
        body = "\n".join([*map(line, names), attack(len(accepted) + 1)])
        status, retry_after = push(product, token, body)
        if status != 200:
            break
        accepted += names
    attacks = 1 + len(accepted) // 400
    assert (status, retry_after) == (429, "30")
    sender = Sender(product.syslog_port)
    request.addfinalizer(sender.close)
    assert not sender.send(more=True), "a sender by TCP has to wait"
    with log.open("a") as file:
        file.writelines(f"{line(f'file{i}')}\n" for i in range(400))
    eventually(lambda: said(product, "tail_waits"), 10, "the file waits")
    eventually(lambda: said(product, "syslog_waits"), 10, "so does what was read of syslog")
    assert said(product, "has reached its limit of 32 MiB")
    stored = logged_ids(product.data_dir)
    assert len(stored) == len(accepted) + attacks
    assert push(product, token, body)[0] == 429
    doctor = product.soc("doctor", check=False)
    assert doctor.returncode == 3
    assert b"events: the event log has reached its limit of 32 MiB" in doctor.stdout

    server.start()
    eventually(lambda: push(product, token, body)[0] == 200, 90, "the refused push is taken when it is sent again")
    accepted += names
    eventually(lambda: sender.send(more=False), 60, "the sender goes on")
    sender.close()
    files, messages = {f"file{i}" for i in range(400)}, {f"m{i}" for i in range(sender.begun)}

    def there() -> Counter[str]:
        """What has come, by its name."""
        lines = event_values(elastic, "event.original")
        names = re.compile(r"\b(?:push|file|m)\d+\b|tra-cuu")
        return Counter(found[0] for text in lines if (found := names.search(text)))

    wanted = Counter([*accepted, *files, *messages]) + Counter({"tra-cuu": attacks + 1})
    eventually(lambda: indexed(product) >= wanted.total(), 90, "everything has come")
    found = there()
    assert (wanted - found, found - wanted) == (Counter(), Counter()), "missing, and more than sent"

    def sql() -> list[int]:
        return [alert["count"] for alert in product.alerts() if "SQL" in alert["title"]]

    eventually(lambda: sql() == [attacks + 1], 60, "one alert has every attack, once")
    assert said(product, '"reason": "size"')
    assert "Traceback" not in product.log.read_text()
