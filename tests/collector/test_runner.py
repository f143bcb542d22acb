from __future__ import annotations

import socket
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from collector.base import Record
from collector.intake import Intake, Meter
from collector.push import Push, ingest_app
from collector.runner import Collector, Worker
from collector.syslog import Syslog
from collector.tail import Tail
from soc.errors import Busy, NotFound, StoreUnavailable
from soc.model.event import PIPELINE_ERROR, Event, Stored, event_id
from soc.model.source import Source, Transport

NOW = 1_795_341_600_000


def parse(source: Source, records) -> list[Stored]:
    """As the real one: an event a record, and a dead letter for what is not understood."""
    events = []
    for record in records:
        dead = record.line.startswith(b"bad")
        ts = 0 if dead else NOW + len(record.line)
        text = record.line.decode()
        fields = {"event.original": text} | (
            {"event.kind": PIPELINE_ERROR, "error.message": "no such line"} if dead else {}
        )
        event = Event(event_id(ts, source.id, record.position, text), ts, source.org, source.type, fields)
        events.append(Stored.of(event))
    return events


class MemoryBuffer:
    def __init__(self) -> None:
        self.events: dict[str, Stored] = {}
        self.groups: list[int] = []
        self.error: Exception | None = None
        self.error_after: int | None = None  # so many groups it is full, once
        self.poison: str | None = None
        self.waiting = False
        self.gate = threading.Event()
        self.gate.set()

    def append(self, events) -> int:
        self.waiting = not self.gate.is_set()
        self.gate.wait(60)
        if self.error:
            raise self.error
        if self.error_after == len(self.groups):
            self.error_after = None
            raise Busy("full")
        if any(event.event.fields["event.original"] == self.poison for event in events):
            raise ValueError("a value that cannot be stored")
        self.groups.append(len(events))
        before = len(self.events)
        self.events.update((event.id, event) for event in events)
        return len(self.events) - before

    def lines(self, source_type: str | None = None) -> list[str]:
        return sorted(
            str(e.event.fields["event.original"]) for e in self.events.values() if source_type in (None, e.dataset)
        )


def source(id_: str, transport: Transport = Transport.FILE, *where: str, **fields: object) -> Source:
    return Source(id_, id_, "hungyen", fields.pop("type", "nginx.access"), transport, where, **fields)


@pytest.fixture
def buffer() -> MemoryBuffer:
    return MemoryBuffer()


def in_threads(*acts) -> list[threading.Thread]:
    threads = [threading.Thread(target=act) for act in acts]
    for thread in threads:
        thread.start()
    return threads


class TestIntake:
    @pytest.fixture
    def intake(self, buffer):
        intake = Intake(buffer, parse, group=100)
        intake.start()
        yield intake
        buffer.gate.set()
        intake.close()

    def test_what_waits_is_written_together(self, intake, buffer, eventually) -> None:
        buffer.gate.clear()

        def submit(number: int) -> None:
            intake.submit(source(f"s{number}"), [Record(b"%d" % number, str(number))])

        threads = in_threads(partial(submit, 0))
        eventually(lambda: buffer.waiting)
        threads += in_threads(*[partial(submit, number) for number in range(1, 20)])
        eventually(lambda: len(intake._waiting) == 19)
        buffer.gate.set()
        for thread in threads:
            thread.join()
        assert buffer.groups == [1, 19]

    def test_a_group_has_a_limit_but_a_batch_is_never_split(self, intake, buffer) -> None:
        intake.submit(source("s"), [Record(b"x", str(n)) for n in range(250)])
        assert buffer.groups == [250]
        assert (intake.appended, intake.new) == (250, 250)

    @pytest.mark.parametrize("error", [Busy("full"), StoreUnavailable("no disk")])
    def test_everybody_hears_of_an_error_and_may_try_again(self, intake, buffer, error: Exception) -> None:
        buffer.error = error
        with pytest.raises(type(error)):
            intake.submit(source("s"), [Record(b"x", "1")])
        buffer.error = None
        assert len(intake.submit(source("s"), [Record(b"x", "1")])) == 1

    def test_what_was_stored_of_a_refused_submission_is_not_stored_again(self, intake, buffer) -> None:
        """Not even where the log has deleted it meanwhile, and so does not know it any more."""
        records = [Record(b"%d" % n, str(n)) for n in range(4000)]
        buffer.error_after = 2
        with pytest.raises(Busy):
            intake.submit(source("s"), records)
        stored = set(buffer.events)
        assert 0 < len(stored) < 4000
        buffer.events.clear()
        assert len(intake.submit(source("s"), records)) == 4000
        assert len(buffer.events) == 4000 - len(stored)
        assert not stored & set(buffer.events)
        intake.submit(source("s"), records[:1])  # sent once more by somebody else's choice
        assert stored & set(buffer.events)

    @pytest.mark.parametrize("error", [Busy("the buffer is full"), StoreUnavailable("the buffer is full")])
    def test_says_why_nothing_can_be_stored(self, buffer, error: Exception) -> None:
        now = [0.0]
        intake = Intake(buffer, parse, clock=lambda: now[0])
        intake.start()
        submit = partial(intake.submit, source("s"), [Record(b"x", "1")])
        submit()
        assert intake.problem is None
        buffer.error = error
        with pytest.raises(type(error)):
            submit()
        assert intake.problem == "the buffer is full"
        buffer.error = None
        submit()
        assert intake.problem is None
        buffer.error = error
        with pytest.raises(type(error)):
            submit()
        now[0] += 11  # nobody has tried since: who waits until it is ready must get a chance
        assert intake.problem is None
        intake.close()

    def test_one_bad_batch_does_not_spoil_the_others(self, intake, buffer, eventually) -> None:
        buffer.poison = "p"
        buffer.gate.clear()
        errors: list[Exception] = []

        def bad() -> None:
            try:
                intake.submit(source("s"), [Record(b"p", "1")])
            except ValueError as error:
                errors.append(error)

        threads = in_threads(lambda: intake.submit(source("a"), [Record(b"1", "1")]), bad)
        threads += in_threads(lambda: intake.submit(source("b"), [Record(b"2", "1")]))
        time.sleep(0.05)
        buffer.gate.set()
        for thread in threads:
            thread.join()
        assert buffer.lines() == ["1", "2"]
        assert len(errors) == 1

    def test_closed_means_try_later(self, buffer) -> None:
        intake = Intake(buffer, parse)
        intake.start()
        intake.close()
        with pytest.raises(StoreUnavailable):
            intake.submit(source("s"), [Record(b"x", "1")])


class TestMeter:
    def test_counts_and_rate_of_the_last_minute(self) -> None:
        now = [1000.0]
        meter = Meter("s", clock=lambda: now[0])
        now[0] += 100
        for line in (b"good", b"bad", b"longer one"):
            meter.count(parse(source("s"), [Record(line, "1")]), 1, NOW)
        health = meter.health("a problem")
        assert (health.records, health.dead, health.rate) == (3, 1, 0.05)
        assert (health.last_event, health.last_received, health.problem) == (NOW + 10, NOW, "a problem")
        assert (health.dead_rate, health.dead_reason, health.lag_ms) == (0.017, "no such line", -10)
        now[0] += 61
        assert meter.health(None).rate == 0
        assert meter.health(None).records == 3

    def test_refused_tokens_are_counted(self) -> None:
        meter = Meter("s")
        assert (meter.health(None).refused, meter.health(None).last_refused) == (0, None)
        meter.refuse(NOW)
        meter.refuse(NOW + 5)
        assert (meter.health(None).refused, meter.health(None).last_refused) == (2, NOW + 5)


class TestWorker:
    def test_is_started_again_after_a_failure(self, eventually) -> None:
        runs: list[int] = []

        def run(stop: threading.Event) -> None:
            runs.append(1)
            if len(runs) < 4:
                raise RuntimeError("the text of a record")
            stop.wait()

        worker = Worker("portal", run, pause_s=0.05)
        worker.start()
        eventually(lambda: worker.problem)
        assert worker.problem.startswith("portal: RuntimeError at ")
        assert "text of a record" not in worker.problem
        eventually(lambda: len(runs) == 4 and worker.problem is None)
        assert worker.failures == 3
        worker.ask_to_stop()
        worker.join(60)


class World:
    """A collector around lists that a test can change."""

    def __init__(self, buffer: MemoryBuffer, notes, fingerprint) -> None:
        self.buffer, self.notes, self.fingerprint = buffer, notes, fingerprint
        self.sources: list[Source] = []
        self.revision = 0
        self.health: dict[str, object] = {}
        self.listeners: dict = {}
        self.control_broken = False

    def set(self, *sources: Source) -> None:
        self.sources = list(sources)
        self.revision += 1

    def list_sources(self) -> list[Source]:
        if self.control_broken:
            raise StoreUnavailable("the control database is locked")
        return self.sources

    def make_reader(self, source: Source) -> Tail | None:
        if source.transport is not Transport.FILE:
            return None
        options = {"poll_s": 0.01, "scan_s": 0.03}
        return Tail(source.id, source.where, self.notes, fingerprint=self.fingerprint, **options)

    def report(self, health) -> None:
        self.health = {item.source_id: item for item in health}

    def problem(self, source_id: str) -> str:
        """As it was reported last, empty when there was none and while nothing was reported of this source yet."""
        health = self.health.get(source_id)
        return (health and health.problem) or ""

    def records(self, source_id: str) -> int:
        health = self.health.get(source_id)
        return health.records if health else 0

    def collector(self) -> Collector:
        return Collector(
            self.buffer,
            parse,
            self.list_sources,
            lambda: self.revision,
            self.make_reader,
            self.listeners,
            self.report,
            look_s=0.02,
            pause_s=0.1,
        )


@pytest.fixture
def world(buffer, notes, fingerprint) -> World:
    return World(buffer, notes, fingerprint)


@pytest.fixture
def collecting(world):
    """Runs the collector of `world` until the test ends (or `stop()` is called)."""
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def start() -> Collector:
        collector = world.collector()
        threads.append(threading.Thread(target=collector.run, args=(stop,)))
        threads[-1].start()
        return collector

    def end() -> None:
        stop.set()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
        stop.clear()

    start.stop = end  # type: ignore[attr-defined]
    yield start
    end()


class TestCollector:
    def test_sources_come_go_and_change_while_it_runs(
        self, world, collecting, buffer, eventually, tmp_path: Path
    ) -> None:
        for name in "abc":
            (tmp_path / name).write_text(f"from {name}\n")
        first, second = (
            source("one", Transport.FILE, str(tmp_path / "a")),
            source("two", Transport.FILE, str(tmp_path / "b")),
        )
        world.set(first)
        collecting()
        eventually(lambda: buffer.lines() == ["from a"])
        world.set(first, second)
        eventually(lambda: buffer.lines() == ["from a", "from b"])
        world.set(replace(second, where=(str(tmp_path / "c"),)), replace(first, enabled=False))
        eventually(lambda: buffer.lines() == ["from a", "from b", "from c"])
        eventually(lambda: set(world.health) == {"two"})
        with (tmp_path / "a").open("a") as file:
            file.write("while disabled\n")
        time.sleep(0.2)
        assert "while disabled" not in buffer.lines()
        world.set(first)
        eventually(lambda: "while disabled" in buffer.lines())

    def test_health_of_a_source(self, world, collecting, eventually, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("good\nbad line\n")
        world.set(
            source("one", Transport.FILE, str(tmp_path / "a")), source("two", Transport.FILE, str(tmp_path / "none"))
        )
        collecting()
        eventually(lambda: world.records("one") == 2)
        health = world.health["one"]
        assert (health.dead, health.last_event, health.problem) == (1, NOW + 4, None)
        assert health.last_received > NOW - 10**11
        eventually(lambda: "No such file" in world.problem("two"))

    def test_a_locked_control_database_stops_nothing(
        self, world, collecting, buffer, eventually, tmp_path: Path
    ) -> None:
        (tmp_path / "a").write_text("one\n")
        world.set(source("one", Transport.FILE, str(tmp_path / "a")))
        collecting()
        eventually(lambda: buffer.lines() == ["one"])
        world.control_broken = True
        world.revision += 1
        with (tmp_path / "a").open("a") as file:
            file.write("two\n")
        eventually(lambda: buffer.lines() == ["one", "two"])
        world.control_broken = False
        world.set()
        eventually(lambda: world.health == {})

    def test_a_full_buffer_is_waited_out(self, world, collecting, buffer, eventually, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("one\n")
        world.set(source("one", Transport.FILE, str(tmp_path / "a")))
        buffer.error = Busy("the buffer is full")
        collecting()
        eventually(lambda: world.health and world.health["one"].problem == "the buffer is full")
        buffer.error = None
        eventually(lambda: buffer.lines() == ["one"] and world.health["one"].problem is None)

    def test_a_syslog_source_that_is_disabled_while_it_sends_holds_up_nobody(
        self, world, collecting, buffer, eventually
    ) -> None:
        noisy = source("noisy", Transport.SYSLOG, type="noisy")
        other = source("other", Transport.SYSLOG, type="other")
        world.set(noisy, other)
        unknown: list[bytes] = []
        routes = {"127.0.0.1": "noisy", "127.0.0.2": "other"}
        syslog = Syslog("127.0.0.1", None, 0, routes.get, lambda ip, records: unknown.extend(r.line for r in records))
        world.listeners = {Transport.SYSLOG: syslog}
        collecting()
        eventually(lambda: syslog.tcp_port and len(world.health) == 2)
        address = ("127.0.0.1", syslog.tcp_port)
        with (
            socket.create_connection(address, source_address=("127.0.0.1", 0)) as one,
            socket.create_connection(address, source_address=("127.0.0.2", 0)) as two,
        ):
            one.sendall(b"<1>1 one\n")
            eventually(lambda: buffer.lines("noisy") == ["<1>1 one"])
            world.set(other)  # and the route is still remembered
            eventually(lambda: set(world.health) == {"other"})
            one.sendall(b"<1>1 nobody's\n")
            two.sendall(b"<1>1 two\n")
            eventually(lambda: buffer.lines("other") == ["<1>1 two"])
            eventually(lambda: unknown == [b"<1>1 nobody's"])
            assert world.health["other"].problem is None
            assert buffer.lines("noisy") == ["<1>1 one"]

    def test_a_source_enabled_a_moment_ago_is_worth_waiting_for(self, world) -> None:
        collector = world.collector()
        world.set(source("new", Transport.SYSLOG))
        with pytest.raises(Busy, match="about to be read"):
            collector._deliver_to("new", [Record(b"x", "1")])
        world.set()
        collector._change([], world.revision)
        with pytest.raises(NotFound, match="not enabled"):
            collector._deliver_to("new", [Record(b"x", "1")])

    def test_forged_senders_take_no_memory(self, world, collecting, buffer, eventually) -> None:
        world.set(source("known", Transport.PUSH))
        collector = collecting()
        eventually(lambda: world.health)
        for number in range(100):
            collector.deliver(source(f"unassigned-{number}"), [Record(b"x", "1")])
        collector.deliver(world.sources[0], [Record(b"x", "1")])
        assert len(buffer.events) == 101
        assert set(collector._meters) == {"known"}
        eventually(lambda: world.records("known") == 1)

    @pytest.mark.server
    def test_file_syslog_and_push_together(self, world, collecting, buffer, eventually, tmp_path: Path) -> None:
        import httpx

        (tmp_path / "a").write_text("by file\n")
        world.set(
            source("file", Transport.FILE, str(tmp_path / "a")),
            source("syslog", Transport.SYSLOG, "127.0.0.1", type="syslog"),
            source("push", Transport.PUSH, type="otp.gateway"),
        )
        unknown: list[bytes] = []
        syslog = Syslog(
            "127.0.0.1", 0, 0, lambda ip: "syslog", lambda ip, records: unknown.extend(r.line for r in records)
        )
        push = Push(
            "127.0.0.1", 0, lambda deliver_to: ingest_app(deliver_to, {"t": "push"}.get, lambda s, d: d.hex()[:16])
        )
        world.listeners = {Transport.SYSLOG: syslog, Transport.PUSH: push}
        collecting()
        eventually(lambda: syslog.tcp_port and push.port and len(world.health) == 3)
        with socket.create_connection(("127.0.0.1", syslog.tcp_port)) as tcp:
            tcp.sendall(b"<34>by syslog\n")
        url = f"http://127.0.0.1:{push.port}/ingest"
        assert httpx.post(url, content=b"by push", headers={"Authorization": "Bearer t"}).json() == {"accepted": 1}
        eventually(lambda: buffer.lines() == ["<34>by syslog", "by file", "by push"])
        world.set(world.sources[0])
        eventually(lambda: set(world.health) == {"file"})
        answer = httpx.post(url, content=b"again", headers={"Authorization": "Bearer t"})
        assert answer.status_code == 401
        collecting.stop()
        assert buffer.lines() == ["<34>by syslog", "by file", "by push"]

    def test_a_port_in_use_is_one_line_and_others_go_on(
        self, world, collecting, buffer, eventually, tmp_path: Path
    ) -> None:
        (tmp_path / "a").write_text("by file\n")
        world.set(
            source("file", Transport.FILE, str(tmp_path / "a")),
            source("syslog", Transport.SYSLOG),
            source("push", Transport.PUSH),
        )
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            syslog = Syslog("127.0.0.1", None, port, lambda ip: "syslog", lambda ip, records: None)
            world.listeners = {Transport.SYSLOG: syslog}
            collector = collecting()
            eventually(lambda: buffer.lines() == ["by file"])
            eventually(lambda: "Address already in use" in world.problem("syslog"))
            assert "\n" not in world.health["syslog"].problem
            assert world.health["push"].problem == "nothing listens for sources of the kind push"
            assert collector.failures >= 1
        eventually(lambda: world.health["syslog"].problem is None)
        socket.create_connection(("127.0.0.1", port)).close()
