"""What works on the product under load, and what is asked of it afterwards: everything is there once, and the alerts are right."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Sequence
from pathlib import Path

from elastic import event_ids
from servers import Product

from deploy.elasticsearch.cluster import Cluster


class Feed:
    """Appends lines to a file, so many a second, until told to stop or until there are no more."""

    def __init__(self, path: Path, lines: list[str], per_s: int) -> None:
        self._path, self._lines, self._per_s = path, lines, per_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.written = 0

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        began = time.monotonic()
        with self._path.open("a") as file:
            while self.written < len(self._lines) and not self._stop.wait(0.05):
                due = min(int((time.monotonic() - began) * self._per_s), len(self._lines))
                file.writelines(self._lines[self.written : due])
                file.flush()
                self.written = due

    def stop(self) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(10)


class Watch:
    """Looks four times a second at what must go on: the events examined, and what the console answers."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.longest_pause_s = 0.0
        self.answers: dict[int, int] = {}
        self.slowest_s = 0.0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(60)

    def _run(self) -> None:
        examined, since = self._product.examined(), time.monotonic()
        while not self._stop.wait(0.25):
            now = self._product.examined()
            if now > examined:
                examined, since = now, time.monotonic()
            self.longest_pause_s = max(self.longest_pause_s, time.monotonic() - since)
            began = time.monotonic()
            try:
                self._product.get("/alerts?limit=1")
                status = 200
            except urllib.error.HTTPError as error:
                status = error.code
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            self.answers[status] = self.answers.get(status, 0) + 1


class Pushes:
    """Pushes lines, `at_once` of them four times a second, until told to stop; each has to be accepted."""

    def __init__(self, product: Product, token: str, lines: Sequence[str], at_once: int) -> None:
        self._product, self._token, self._lines, self._at_once = product, token, lines, at_once
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._failed: BaseException | None = None
        self.accepted = 0

    def __enter__(self) -> Pushes:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)
        if self._failed:
            raise self._failed

    @property
    def sent(self) -> Sequence[str]:
        return self._lines[: self.accepted]

    def _run(self) -> None:
        try:
            while not self._stop.wait(0.25):
                some = self._lines[self.accepted : self.accepted + self._at_once]
                assert some, "there are no more lines"
                push(self._product, self._token, some)
                self.accepted += len(some)
        except BaseException as error:  # said by the thread that waits for this one
            self._failed = error


def enrol(product: Product) -> str:
    """A source that is pushed to; returns its token."""
    output = product.soc(
        "sources", "add", "portal", "--type", "nginx.access", "--org", "hungyen", "--push"
    ).stdout.decode()
    return next(word for word in output.split() if word.startswith("govsoc_"))


def push(product: Product, token: str, lines: Iterable[str]) -> None:
    """Lines of one push request, accepted."""
    sent = [line.rstrip("\n") for line in lines]
    request = urllib.request.Request(product.ingest_url, "\n".join(sent).encode(), {"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=300) as answer:
        assert json.load(answer) == {"accepted": len(sent)}


def said(product: Product, text: str) -> bool:
    return text in product.log.read_text()


def indexed(product: Product) -> float:
    """Events that the server has acknowledged since the detector started."""
    return product.metric("soc_indexer_events_total") + product.metric("soc_indexer_duplicates_total")


def all_there_once(product: Product, cluster: Cluster, count: int) -> bool:
    return indexed(product) >= count and len(event_ids(cluster)) >= count


def logged_ids(data_dir: Path) -> list[str]:
    """The id of every event in the event log, sorted: those whose source was told that they are safe."""
    ids: list[str] = []
    for path in (data_dir / "events").glob("*.db"):
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        ids += [row[0] for row in db.execute("SELECT id FROM event")]
        db.close()
    return sorted(ids)


def alerts(product: Product) -> list[tuple]:
    """What every alert says but for the wall clock of its raising."""
    items, cursor = [], ""
    while True:
        page = product.get(f"/alerts?limit=200{cursor}")
        items += page["items"]
        if not page.get("next"):
            break
        cursor = f"&cursor={page['next']}"
    return sorted((a["id"], a["rule_id"], a["entity"], a["count"], a["first_seen"], a["last_seen"]) for a in items)


def alerts_of_a_calm_run(product: Product, lines: Iterable[str]) -> list[tuple]:
    """The alerts for the same lines and keys where nothing disturbs: on the embedded store, from a file."""
    folder = product.data_dir.parent / "calm"
    folder.mkdir()
    (folder / "access.log").write_text("".join(lines))
    calm = Product(folder / "data")
    shutil.copytree(product.data_dir / "keys", calm.data_dir / "keys")
    source = ("--source-type", "nginx.access", "--source", "portal", "--org", "hungyen")
    calm.soc("replay", str(folder / "access.log"), *source)
    calm.start()
    try:
        return alerts(calm)
    finally:
        calm.stop()
