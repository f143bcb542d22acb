"""What is in place before somebody's day begins, and what happens outside while it goes on: accounts, sources that send, attacks."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from servers import Product, eventually

CONTENT = Path(__file__).parents[2] / "rules" / "content" / "portal"
_VERSIONS = "soc_detector_tuning_versions"

HOSTILE = "Mozilla/5.0 <script>document.title='owned'</script>"
SQLI = "/tin?id=1%20UNION%20ALL%20SELECT%20NULL%2CNULL%2CNULL--%20-"
LOG4SHELL = "/tin?id=${jndi:ldap://192.0.2.1/a}"
XSS = "/tin?id=%3Cscript%3Ealert(1)%3C/script%3E"
SHELLSHOCK = "() { :;}; /bin/bash -c id"  # a user agent
TEMPLATE = "/tin?id={{7*7}}"
TRAVERSAL = "/../../../../etc/passwd"


def rule(name: str) -> dict:
    """As its author wrote it: the last document of the file is what raises alerts."""
    return list(yaml.safe_load_all((CONTENT / f"{name}.yml").read_text()))[-1]


def title(name: str, language: str) -> str:
    written = rule(name)
    return written["title"] if language == "en" else written["govsoc"]["title"][language]


def line(address: str, path: str, agent: str = "Mozilla/5.0", *, ago: timedelta = timedelta()) -> str:
    """As nginx writes it, in UTC."""
    at = (datetime.now(UTC) - ago).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'{address} - - [{at}] "GET {path} HTTP/1.1" 200 512 "-" "{agent}"'


def push(url: str, token: str, *lines: str) -> int:
    """The status of the answer."""
    body = "".join(f"{one}\n" for one in lines).encode()
    request = urllib.request.Request(url, body, {"Authorization": f"Bearer {token}", "Content-Type": "text/plain"})
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def account(product: Product, name: str, role: str, *orgs: str) -> str:
    """Its password. Without organisations it sees all."""
    scope = [word for org in orgs for word in ("--org", org)] or ["--all-orgs"]
    return product.soc("accounts", "add", name, "--role", role, *scope).stdout.decode().split()[-1]


class Portal:
    """A portal whose log is pushed."""

    def __init__(self, product: Product, org: str) -> None:
        self.id, self.org, self._product = f"{org.lower()}-portal", org, product
        source = {"id": self.id, "org": org, "type": "nginx.access", "transport": "push"}
        self._token = product.request("POST", "/sources", source)["token"]

    def logs(self, *lines: str) -> None:
        """On disk when it returns. The collector hears of a new source within a second or two."""
        eventually(lambda: push(self._product.ingest_url, self._token, *lines) == 200, 20, "the source is known")

    def raised(self, number: int, stage: str = "live") -> list[dict]:
        """The alerts of this organisation, once there are so many."""
        path = f"/alerts?org={self.org}&stage={stage}&limit=200"
        found = eventually(lambda: self._enough(path, number), 30, f"{number} alerts of {self.org}")
        assert isinstance(found, list)
        return found

    def found(self, number: int) -> None:
        """A search finds so many events of this organisation: on a server, some seconds after they were written."""
        path = f"/events?q=organization.id:{self.org}&limit=200"
        eventually(lambda: len(self._product.get(path)["items"]) >= number, 30, f"{number} events of {self.org}")

    def _enough(self, path: str, number: int) -> list[dict]:
        items = self._product.get(path)["items"]
        return items if len(items) >= number else []


@contextmanager
def taken_up(product: Product) -> Iterator[None]:
    """The detector works with what is laid down in here when it is over."""
    before = product.metric(_VERSIONS)
    yield
    eventually(lambda: product.metric(_VERSIONS) > before, 30, "the detector has heard of it")
