"""The observer: events a second with every definition that comes with govsoc; and what 50,000 live series cost a minute.

python -m bench observe; python -m bench.observe 5000 for as many series.
"""

from __future__ import annotations

import logging
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import structlog

from detector.observe import Observer
from detector.series.definition import Definition, load
from soc.buffer.sqlite import EventLog
from soc.model.event import Event, Fields, Stored, event_id
from soc.model.org import EVERYTHING
from soc.service.handover import take
from soc.service.observer import Watching
from soc.service.process import relax_garbage_collection
from soc.settings import Settings
from soc.store.anomalies import SqliteAnomalies
from soc.store.detections import SqliteDetections
from soc.store.sqlite import events_dir

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
START, MINUTE = 1_772_409_600_000, 60_000
# 30 April 2026; eight days before the first of the lunar year of 2027
HOLIDAY, TET = 1_777_482_000_000, 1_801_155_600_000
_EVENTS = 60_000
_MOST, _A_BOARD = 50_000, 500
_WARM, _MEASURED = 8, 10  # minutes


def main(series: int = _MOST) -> list[tuple[str, str]]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    memory_first = series_a_minute(series)  # what ran before would have left room behind
    return [*events_a_second(), *memory_first, *until_handed_over()]


def _stored(ts: int, n: int, org: str, dataset: str, fields: Fields) -> Stored:
    id_ = event_id(ts, "s", str(n), "")
    more: Fields = {
        "event.id": id_,
        "event.dataset": dataset,
        "organization.id": org,
        "govsoc.source.id": f"{org}-{dataset}",
    }
    return Stored.of(Event(id_, ts, org, dataset, more | fields))


def events(count: int, seed: int, spread_ms: int) -> Iterator[Stored]:
    """A third of each dataset, as wide as the parsers' events are."""
    rng = Random(seed)
    line = "x" * 420  # event.original
    for n in range(count):
        ts = START + n * spread_ms // count
        kind = n % 3
        if kind == 0:
            step = rng.choice(("request", "submit", "dlr", "verify"))
            fields: Fields = {
                "govsoc.otp.event": step, "govsoc.otp.carrier": rng.choice(("viettel", "vinaphone", "mobifone", "gmobile")),
                "govsoc.otp.channel": "sms", "event.outcome": "success" if rng.random() < 0.97 else "failure",
                "govsoc.otp.latency_ms": rng.lognormvariate(8, 0.5), "source.ip": f"113.160.{n % 250}.{n // 250 % 250}",
                "govsoc.otp.request_id": f"{n:016x}", "user.id": f"cccd_{n:020d}", "event.original": line,
            }  # fmt: skip
            yield _stored(ts, n, "hungyen", "otp.gateway", fields)
        elif kind == 1:
            fields = {
                "govsoc.lgsp.provider": f"P{rng.randrange(6)}", "govsoc.lgsp.service_code": f"S{rng.randrange(3)}",
                "govsoc.lgsp.consumer": f"C{rng.randrange(4)}", "http.response.status_code": 200 if rng.random() < 0.97 else 504,
                "event.outcome": "success", "govsoc.lgsp.duration_ms": rng.lognormvariate(6, 0.5),
                "govsoc.lgsp.subject": f"cccd_{rng.randrange(10**6):020d}", "event.original": line,
            }  # fmt: skip
            yield _stored(ts, n, "hungyen", "lgsp.gateway", fields)
        else:
            fields = {
                "http.response.status_code": rng.choice((200, 200, 200, 304, 404, 500)), "source.ip": f"14.160.{n % 250}.{n // 250 % 250}",
                "url.path": "/tim-kiem", "user_agent.original": "Mozilla/5.0 " + "y" * 90, "event.original": line,
            }  # fmt: skip
            yield _stored(ts, n, "hungyen", "nginx.access", fields)


def events_a_second() -> list[tuple[str, str]]:
    """From the event log through the observer with its commits, CPU time of one process."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        log = EventLog(events_dir(place), min_free_bytes=0)
        log.append(list(events(_EVENTS, 1, 20 * MINUTE)))
        kept = SqliteAnomalies(place)
        relax_garbage_collection()
        began = time.process_time()
        done = Watching(Settings(data_dir=place), log, kept, load()).drain()
        taken = time.process_time() - began
        assert done == _EVENTS
        found.append(("events/s, all own definitions, read and committed", f"{_EVENTS / taken:,.0f}"))
        log.close()
        kept.close()
    return found


def _board(number: int) -> Definition:
    return Definition.model_validate(
        {
            "name": f"bench-{number}",
            "system": "bench",
            "titles": {"vi": "x", "en": "x"},
            "dataset": f"bench.{number}",
            "group_by": ["key"],
            "measure": "count",
            "max_series": _A_BOARD,
        }
    )


def series_a_minute(series: int) -> list[tuple[str, str]]:
    """One event a series and minute; what the events themselves cost is taken off, as a busy minute has any number of them."""
    boards = max(series // _A_BOARD, 1)
    definitions = {one.name: one for one in map(_board, range(boards))}
    with tempfile.TemporaryDirectory() as folder:
        kept = SqliteAnomalies(Path(folder))
        before = _resident()
        observer = Observer(definitions, ZONE, kept, most=series + boards)
        observer.load()
        spent, written = 0.0, 0.0
        for minute in range(_WARM + _MEASURED):
            batches = [list(_minute(minute, number)) for number in range(boards)]
            began = time.process_time()
            for batch in batches:
                observer.feed(batch)
            fed = time.process_time()
            kept.commit(observer.progress({}))
            if minute >= _WARM:
                spent += fed - began
                written += time.process_time() - fed
            del batches
        held = _resident() - before
        count = sum(1 for _ in observer.tracks())
        _age(observer)
        aged = _resident() - before
        parse = _parse_cost(series) * _MEASURED
        size = sum(file.stat().st_size for file in Path(folder).iterdir()) / (_WARM + _MEASURED)
        kept.close()
    share = (spent + written) / _MEASURED / 60
    return [
        ("live series", f"{count:,}"),
        ("a core, with one event a series and minute", f"{share:.1%}"),
        ("  of it parsing and counting the events", f"{parse / _MEASURED / 60:.1%}"),
        ("  of it committing", f"{written / _MEASURED / 60:.1%}"),
        ("memory (resident, grown)", f"{held / 2**20:,.0f} MiB"),
        ("memory a series", f"{held / max(count, 1) / 1024:.1f} KiB"),
        ("memory when all have seen a holiday and Tết (resident, grown)", f"{aged / 2**20:,.0f} MiB"),
        ("written a minute", f"{size / 2**20:.1f} MiB"),
    ]


def _minute(minute: int, number: int) -> Iterator[Stored]:
    for key in range(_A_BOARD):
        ts = START + minute * MINUTE + key * MINUTE // _A_BOARD
        id_ = event_id(ts, "s", str(key), "")
        doc = b'{"key":"k%d","event.id":"%s"}' % (key, id_.encode())
        yield Stored(id_, ts, "hungyen", f"bench.{number}", "s", None, doc)


def _age(observer: Observer) -> None:
    """Some values on a holiday, and all through a Tết: what is kept of a series does not grow any more after that."""
    rng, hour, definition = Random(2), 60 * MINUTE, _board(0)
    times = [HOLIDAY + n * 8 * hour for n in range(6)] + [TET + n * 8 * hour for n in range(45)]
    for _, track in observer.tracks():
        for ts in times:
            value = float(rng.randrange(40))
            track.step(definition, ts, value, value, 0.0)


def _parse_cost(series: int) -> float:
    """CPU seconds to take `series` events into one open bucket."""
    definition = _board(0)
    with tempfile.TemporaryDirectory() as folder:
        observer = Observer({definition.name: definition}, ZONE, SqliteAnomalies(Path(folder)))
        batch = list(_minute(0, 0))
        observer.feed(batch)
        began = time.process_time()
        for _ in range(max(series // _A_BOARD, 1)):
            observer.feed(batch)
        return time.process_time() - began


def until_handed_over() -> list[tuple[str, str]]:
    """Seconds from the event that closes a bucket until the alert is in the detector's database, longest of the calls of one incident. The
    detector looks every half second; that is added."""
    rng, minutes = Random(3), 1440 + 30
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        log, kept, detections = (
            EventLog(events_dir(place), min_free_bytes=0),
            SqliteAnomalies(place),
            SqliteDetections(place),
        )
        watching = Watching(Settings(data_dir=place), log, kept, load())
        log.append([one for minute in range(minutes) for one in _receipts(rng, minute, lost=0.02)])
        watching.drain()
        longest = 0.0
        for minute in range(minutes, minutes + 20):
            log.append(_receipts(rng, minute, lost=0.5))
            began = time.perf_counter()
            watching.step()
            take(place, lambda found, docs: detections.commit(found, docs, {}, {}, None, START))
            longest = max(longest, time.perf_counter() - began)
        watching.commit()
        called = len(kept.list(EVERYTHING)) or sum(1 for _ in (place / "anomalies").rglob("*.json"))
        log.close()
        kept.close()
        detections.close()
    return [
        (
            "bucket closed to alert, longest of 20, with the detector's look of 0.5 s",
            f"{longest + 0.5:.2f} s, called: {bool(called)}",
        )
    ]


def _receipts(rng: Random, minute: int, lost: float) -> list[Stored]:
    return [
        _stored(START + minute * MINUTE + n * 3000, n, "hungyen", "otp.gateway", {
            "govsoc.otp.event": "dlr", "govsoc.otp.carrier": "viettel", "event.outcome": "failure" if rng.random() < lost else "success",
        })
        for n in range(20)
    ]  # fmt: skip


def _resident() -> int:
    with Path("/proc/self/statm").open() as file:
        return int(file.read().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    for name, value in main(*map(int, sys.argv[1:2])):
        print(f"{name:72} {value}")
