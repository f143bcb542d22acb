from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from collector.base import Record
from collector.fileid import Content, DamagedFileError, Note, read_file
from collector.globs import base_name
from collector.lines import LineCutter
from collector.tail import Tail


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def log(folder: Path) -> Path:
    return folder / "access.log"


@pytest.fixture
def tail(notes, fingerprint, folder: Path):
    """Makes a quick tail of `access.log` (or of other patterns) with the same notes each time, as a restart does."""

    def make(*patterns: str, **options: object) -> Tail:
        quick = {"poll_s": 0.01, "scan_s": 0.03, "linger_s": 0.1} | options
        names = [str(folder / pattern) for pattern in patterns or ("access.log",)]
        return Tail("portal", names, notes, fingerprint=fingerprint, **quick)

    return make


def lines(*numbers: int) -> bytes:
    return b"".join(b"seq=%d\n" % n for n in numbers)


def expected(*numbers: int) -> list[bytes]:
    return [b"seq=%d" % n for n in numbers]


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def open_files() -> list[str]:
    names = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the one that lists the directory
            names.append(str(descriptor.readlink()))
    return names


class TestLines:
    def cut(self, data: bytes, size: int, most: int = 100) -> list[Record]:
        cutter = LineCutter("f:", most)
        records = [r for at in range(0, len(data), size) for r in cutter.feed(data[at : at + size])]
        return records + cutter.finish()

    @pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
    def test_chunk_borders_make_no_difference(self, size: int) -> None:
        data = b"one\r\n\ntwo\n" + b"x" * 250 + b"\n\0\0\0after\nin\0side\nlast"
        assert self.cut(data, size) == [
            Record(b"one", "f:0"),
            Record(b"two", "f:6"),
            Record(b"x" * 100, "f:10", "cut at 100 of 250 bytes"),
            Record(b"after", "f:264", "3 NUL bytes skipped before this line"),
            Record(b"in\0side", "f:270"),
            Record(b"last", "f:278"),
        ]

    def test_a_byte_order_mark_is_no_text(self) -> None:
        assert [r.line for r in self.cut(b"\xef\xbb\xbfone\n\xef\xbb\xbftwo\n", 4)] == [b"one", b"\xef\xbb\xbftwo"]

    def test_memory_is_bounded(self) -> None:
        cutter = LineCutter("f:", 1000)
        for _ in range(200):
            cutter.feed(b"x" * 50_000)
            cutter.feed(b"\0" * 50_000)
        assert len(cutter._kept) == 1000
        assert cutter.feed(b"\nnext\n")[1] == Record(b"next", "f:20000001")


class TestReading:
    def test_follows_what_is_appended(self, tail, log, sink, running) -> None:
        log.write_bytes(lines(1, 2))
        with running(tail().run, sink):
            sink.wait(2)
            append(log, lines(3))
            assert sink.wait(3) == expected(1, 2, 3)

    def test_a_file_that_comes_later(self, tail, log, sink, running, eventually) -> None:
        reader = tail()
        with running(reader.run, sink):
            eventually(lambda: reader.problem)
            assert str(log) in reader.problem
            log.write_bytes(lines(1))
            sink.wait(1)
            eventually(lambda: reader.problem is None)

    def test_half_a_line_is_held_until_its_end_arrives(self, tail, log, sink, running) -> None:
        log.write_bytes(b"seq=1\nseq=")
        with running(tail().run, sink):
            sink.wait(1)
            time.sleep(0.2)
            assert sink.lines == expected(1)
            append(log, b"2\n")
            assert sink.wait(2) == expected(1, 2)

    def test_start_at_the_end_skips_only_what_was_there_at_first(
        self, tail, log, sink, notes, running, eventually
    ) -> None:
        log.write_bytes(lines(1, 2) + b"seq=")
        with running(tail("*.log", start_at="end").run, sink):
            eventually(lambda: notes.notes)
            append(log, b"3\n")
            sink.wait(1)
            log.with_name("other.log").write_bytes(lines(4))
            assert sink.wait(2) == expected(3, 4)

    def test_bytes_are_kept_as_they_are(self, tail, log, sink, running) -> None:
        raw = [b"\xff\xfe caf\xe9", "Hưng Yên".encode(), b"tab\tand \x1b[31m"]
        log.write_bytes(b"\n".join(raw) + b"\n")
        with running(tail().run, sink):
            assert sink.wait(3) == raw

    def test_positions_are_fingerprint_and_offset(self, tail, log, sink, running, fingerprint) -> None:
        log.write_bytes(b"first line\nsecond\n")
        with running(tail().run, sink):
            sink.wait(2)
        assert [r.position for r in sink.records] == [
            f"{fingerprint(b'first line')}:0",
            f"{fingerprint(b'first line')}:11",
        ]

    def test_a_long_line_is_cut_and_its_neighbours_are_whole(self, tail, log, sink, running) -> None:
        log.write_bytes(lines(1) + b"x" * (10 << 20) + b"\n" + lines(2))
        with running(tail().run, sink):
            sink.wait(3)
        assert sink.lines[::2] == expected(1, 2)
        assert sink.records[1].note == f"cut at {1 << 20} of {10 << 20} bytes"

    def test_a_thousand_files_are_read_without_burning_the_processor(self, tail, folder, sink, running) -> None:
        for n in range(1000):
            (folder / f"{n}.log").write_bytes(lines(n))
        with running(tail("*.log", max_open=100, scan_s=0.2, poll_s=0.1).run, sink):
            assert sorted(sink.wait(1000)) == sorted(expected(*range(1000)))
            before = time.thread_time(), time.process_time()
            time.sleep(1)
            assert time.process_time() - before[1] < 0.5
            assert sum(str(folder) in name for name in open_files()) <= 100
            append(folder / "999.log", lines(1001))
            sink.wait(1001)


class TestRotation:
    def test_renamed_and_created_anew(self, tail, log, sink, running) -> None:
        log.write_bytes(lines(1))
        with running(tail().run, sink):
            sink.wait(1)
            old = log.open("ab")
            log.rename(log.with_name("access.log.1"))
            log.write_bytes(lines(3))
            old.write(lines(2))  # a writer that has not noticed yet
            old.close()
            assert sorted(sink.wait(3)) == expected(1, 2, 3)

    def test_rotated_again_and_again_under_load(self, tail, log, sink, running, eventually) -> None:
        reader = tail()
        with running(reader.run, sink):
            eventually(lambda: reader.problem)  # there is no file yet
            for turn in range(20):
                for n in range(50):
                    append(log, lines(turn * 50 + n))
                for age in (2, 1):
                    if (older := log.with_name(f"access.log.{age}")).exists():
                        older.rename(log.with_name(f"access.log.{age + 1}"))
                log.rename(log.with_name("access.log.1"))
                time.sleep(0.02)
                sink.wait(50 * (turn - 1))  # what is rotated a fourth time is gone: as long as a slow machine needs
            sink.wait(1000)
        assert sorted(sink.lines) == sorted(expected(*range(1000)))
        assert len(sink.unique) == 1000

    def test_the_last_half_line_of_a_rotated_file_is_emitted(self, tail, log, sink, running) -> None:
        log.write_bytes(b"seq=1\nhalf")
        with running(tail().run, sink):
            sink.wait(1)
            log.rename(log.with_name("access.log.1"))
            assert sink.wait(2) == [b"seq=1", b"half"]

    def test_deleted_while_the_sink_is_full(self, tail, log, sink, running, eventually) -> None:
        sink.full.set()
        log.write_bytes(lines(1, 2))
        with running(tail().run, sink):
            eventually(lambda: sink.refused)
            append(log, lines(3))
            log.unlink()
            log.write_bytes(lines(4))  # a second file, found while waiting, then deleted too
            eventually(lambda: str(log) in open_files())
            log.unlink()
            time.sleep(0.2)
            sink.full.clear()
            assert sorted(sink.wait(4)) == expected(1, 2, 3, 4)
            eventually(lambda: not any("access.log" in name for name in open_files()))

    def test_rotated_twice_and_compressed_while_stopped(self, tail, log, sink, running, new_sink) -> None:
        history = log.with_name("access.log.1")
        history.write_bytes(lines(100))
        os.utime(history, (1, 1))
        log.write_bytes(lines(1, 2))
        with running(tail().run, sink):
            assert sink.wait(2) == expected(1, 2)
        append(log, lines(3))
        log.with_name("access.log.2.gz").write_bytes(gzip.compress(log.read_bytes()))
        log.unlink()
        history.unlink()
        log.with_name("access.log.1").write_bytes(lines(4, 5))
        log.write_bytes(lines(6))
        later = new_sink()
        with running(tail().run, later):
            assert sorted(later.wait(4)) == expected(3, 4, 5, 6)
            time.sleep(0.2)
        assert len(later.records) == 4
        with running(tail().run, later):
            time.sleep(0.2)
        assert len(later.records) == 4

    def test_compressed_while_running_is_not_read_again(self, tail, log, sink, running) -> None:
        log.write_bytes(lines(1, 2))
        with running(tail("access.log*").run, sink):
            sink.wait(2)
            log.with_name("access.log.1.gz").write_bytes(gzip.compress(log.read_bytes()))
            log.unlink()
            log.write_bytes(lines(3))
            sink.wait(3)
            time.sleep(0.3)
            assert sink.lines == expected(1, 2, 3)

    def test_a_directory_that_is_replaced(self, tail, folder, sink, running) -> None:
        (folder / "a").mkdir()
        (folder / "a" / "x.log").write_bytes(lines(1))
        with running(tail("**/x.log").run, sink):
            sink.wait(1)
            (folder / "a").rename(folder / "b")
            (folder / "a").mkdir()
            (folder / "a" / "x.log").write_bytes(lines(2))
            assert sink.wait(2) == expected(1, 2)

    def test_a_symlink_that_is_moved_to_the_next_file(self, tail, folder, sink, running) -> None:
        for day in (1, 2):
            (folder / f"day{day}").write_bytes(lines(day))
        link = folder / "current.log"
        link.symlink_to("day1")
        with running(tail("current.log").run, sink):
            sink.wait(1)
            link.unlink()
            link.symlink_to("day2")
            assert sink.wait(2) == expected(1, 2)

    @pytest.mark.parametrize(
        ("name", "base"),
        [
            ("/x/access.log.1", "/x/access.log"),
            ("/x/access.log.12.gz", "/x/access.log"),
            ("/x/access.log-20261122", "/x/access.log"),
            ("/x/access.log-2026-11-22.xz", "/x/access.log"),
            ("/x.1/access.log", "/x.1/access.log"),
            ("/x/access.log", "/x/access.log"),
            ("/x/access.log.bak", "/x/access.log.bak"),
        ],
    )
    def test_names_of_rotated_files(self, name: str, base: str) -> None:
        assert base_name(name) == base


class TestTruncation:
    def test_copytruncate(self, tail, log, sink, running) -> None:
        log.write_bytes(lines(1, 2, 3))
        with running(tail().run, sink):
            sink.wait(3)
            shutil.copy(log, log.with_name("access.log.1"))
            log.write_bytes(b"")
            append(log, lines(4))
            assert sink.wait(4) == expected(1, 2, 3, 4)
            time.sleep(0.2)
            assert len(sink.records) == 4, "the copy was read again"

    def test_copytruncate_of_unread_lines(self, tail, log, sink, running, eventually) -> None:
        log.write_bytes(lines(1, 2))
        with running(tail().run, sink):
            sink.wait(2)
            sink.full.set()
            append(log, lines(3))
            eventually(lambda: sink.refused)
            append(log, lines(4, 5))
            shutil.copy(log, log.with_name("access.log.1"))
            log.write_bytes(b"")
            append(log, lines(6))
            sink.full.clear()
            sink.wait(6)
        assert sorted(sink.unique.values()) == expected(1, 2, 3, 4, 5, 6)

    def test_rewritten_longer_than_before(self, tail, log, sink, running) -> None:
        log.write_bytes(lines(1, 2))
        with running(tail().run, sink):
            sink.wait(2)
            log.write_bytes(lines(11, 12, 13, 14))
            assert sink.wait(6) == expected(1, 2, 11, 12, 13, 14)

    def test_same_head_rewritten_longer_than_before(self, tail, log, sink, running) -> None:
        log.write_bytes(b"#Fields: a b\n" + lines(1, 2))
        with running(tail().run, sink):
            sink.wait(3)
            log.write_bytes(b"#Fields: a b\n" + lines(3, 4, 5))
            sink.wait(7)
        assert sorted(set(sink.lines)) == [b"#Fields: a b", *expected(1, 2, 3, 4, 5)]

    def test_the_hole_that_a_writer_without_append_leaves(self, tail, log, sink, running) -> None:
        with log.open("wb", buffering=0) as writer, running(tail().run, sink):
            writer.write(lines(*range(1000)))
            sink.wait(1000)
            os.truncate(log, 0)
            writer.write(lines(1000))  # at its old offset: NULs before it
            sink.wait(1001)
        assert sink.records[-1].line == b"seq=1000"
        assert "NUL bytes skipped" in sink.records[-1].note

    def test_two_hundred_megabytes_of_nuls(self, tail, log, sink, running, fingerprint) -> None:
        with log.open("wb") as file:
            file.truncate(200 << 20)
            file.seek(0, 2)
            file.write(b"\0" * (5 << 20) + lines(1))  # a hole, then NULs that are really there
        with running(tail().run, sink):
            sink.wait(1)
        assert sink.records[0] == Record(
            b"seq=1", f"{fingerprint(b'seq=1')}:{205 << 20}", f"{205 << 20} NUL bytes skipped before this line"
        )

    def test_while_stopped(self, tail, log, sink, running, new_sink) -> None:
        log.write_bytes(lines(*range(100)))
        with running(tail().run, sink):
            sink.wait(100)
        log.write_bytes(lines(*range(200, 210)))
        later = new_sink()
        with running(tail().run, later):
            assert later.wait(10) == expected(*range(200, 210))

    @pytest.mark.parametrize("count", [1, 500])
    def test_inode_used_again_while_stopped(self, tail, log, sink, running, new_sink, count: int) -> None:
        log.write_bytes(b"#head\n" + lines(*range(100)))
        with running(tail().run, sink):
            sink.wait(101)
        log.write_bytes(b"#head\n" + lines(*range(1000, 1000 + count)))  # the same inode and head, other content
        later = new_sink()
        with running(tail().run, later):
            assert later.wait(count + 1) == [b"#head", *expected(*range(1000, 1000 + count))]


class TestTwins:
    @pytest.mark.parametrize("head", [1, 40, 1023, 4096, 5000])
    def test_files_with_the_same_beginning_are_both_read(self, tail, folder, sink, running, head: int) -> None:
        for name, number in (("a.log", 1), ("b.log", 2)):
            (folder / name).write_bytes(b"x" * head + b"\n" + lines(number))
        with running(tail("*.log").run, sink):
            sink.wait(4)
            append(folder / "a.log", lines(3))
            append(folder / "b.log", lines(4))
            sink.wait(6)
        assert {*expected(1, 2, 3, 4)} <= set(sink.lines)

    def test_a_twin_that_is_restarted_goes_on_where_it_was(self, tail, folder, sink, running, new_sink) -> None:
        for name in "ab":
            (folder / f"{name}.log").write_bytes(b"#head\n" + name.encode() * 10 + b"\n")
        with running(tail("*.log").run, sink):
            sink.wait(4)
        later = new_sink()
        with running(tail("*.log").run, later):
            for name in "ab":
                append(folder / f"{name}.log", b"more of " + name.encode() + b"\n")
            assert sorted(later.wait(2)) == [b"more of a", b"more of b"]


class TestRestart:
    def test_goes_on_where_it_was(self, tail, log, sink, running, new_sink) -> None:
        log.write_bytes(lines(1, 2) + b"seq=")
        with running(tail().run, sink):
            sink.wait(2)
        append(log, b"3\n")
        later = new_sink()
        with running(tail().run, later):
            assert later.wait(1) == expected(3)

    def test_renamed_while_stopped(self, tail, log, sink, running, new_sink) -> None:
        log.write_bytes(lines(1))
        with running(tail().run, sink):
            sink.wait(1)
        append(log, lines(2))
        log.rename(log.with_name("access.log.1"))
        log.write_bytes(lines(3))
        later = new_sink()
        with running(tail().run, later):
            assert later.wait(2) == expected(2, 3)

    @pytest.mark.parametrize("damage", ["", "{", "null", "[]", '{"offset": 3}', "\0" * 50])
    def test_a_damaged_note_means_reading_again(self, tail, log, sink, notes, running, damage: str) -> None:
        log.write_bytes(lines(1, 2))
        with running(tail().run, sink):
            sink.wait(2)
        for key in notes.notes["portal"]:
            notes.notes["portal"][key] = damage
        reader = tail()
        reader._begin(notes.load("portal"))
        assert "damaged" in reader.problem
        with running(reader.run, sink):
            sink.wait(4)
        assert len(sink.unique) == 2

    def test_damaged_notes_and_a_rotation_meanwhile(self, tail, log, sink, notes, running, eventually) -> None:
        log.write_bytes(lines(1))
        with running(tail().run, sink):
            sink.wait(1)
        append(log, lines(2))
        log.rename(log.with_name("access.log.1"))
        log.write_bytes(lines(3))
        notes.notes["portal"] = {"gone": "{", **dict.fromkeys(notes.notes["portal"], "{")}
        with running(tail(start_at="end").run, sink):
            sink.wait(4)
            eventually(lambda: "gone" not in notes.notes["portal"])
        assert sorted(sink.unique.values()) == expected(1, 2, 3)

    def test_a_note_survives_being_written(self) -> None:
        note = Note("f", 1, 2, "/x/ă.log", 3, "t", 4, 5, True)
        assert Note.load(note.dump()) == note

    def test_full_is_waited_out(self, tail, log, sink, running, eventually) -> None:
        log.write_bytes(lines(*range(5000)))
        sink.full.set()
        reader = tail(batch=100)
        with running(reader.run, sink):
            eventually(lambda: sink.refused >= 2)
            assert "full" in reader.problem
            sink.full.clear()
            assert sink.wait(5000) == expected(*range(5000))
            eventually(lambda: reader.problem is None)

    def test_stops_while_full(self, tail, log, sink, running, eventually, notes) -> None:
        log.write_bytes(lines(1))
        sink.full.set()
        with running(tail().run, sink) as stop:
            eventually(lambda: sink.refused)
            stop.set()
        assert notes.notes == {}

    def test_killed_in_the_middle_of_a_line(self, folder: Path, log: Path) -> None:
        """A real process, `kill -9`, and a file of what it stored: the finished line comes once, and whole."""
        script = folder / "follow.py"
        script.write_text(KILLED)
        log.write_bytes(lines(*range(200)) + b"seq=")
        command = [sys.executable, str(script), str(log), str(folder / "stored"), str(folder / "notes")]
        env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
        for end in (b"200\nse", b"q=201\n"):
            process = subprocess.Popen(command, env=env)
            wait_for_size(folder / "stored", 200)
            process.send_signal(signal.SIGKILL)
            process.wait()
            append(log, end)
        process = subprocess.Popen(command, env=env)
        wait_for_size(folder / "stored", 202)
        process.kill()
        process.wait()
        stored = dict(line.split(" ", 1) for line in (folder / "stored").read_text().splitlines())
        assert sorted(stored.values()) == sorted(line.decode() for line in expected(*range(202)))


KILLED = """
import sys, threading, hashlib, json, pathlib
from collector.tail import Tail
log, stored, notes = sys.argv[1:]
class Notes:
    def load(self, source):
        path = pathlib.Path(notes)
        return json.loads(path.read_text()) if path.exists() else {}
    def save(self, source, new):
        temporary = pathlib.Path(notes + ".new")
        temporary.write_text(json.dumps({**self.load(source), **new}))
        temporary.rename(notes)
def deliver(records):
    with open(stored, "a") as file:
        file.writelines(f"{r.position} {r.line.decode()}\\n" for r in records)
Tail("s", [log], Notes(), fingerprint=lambda b: hashlib.blake2b(b, digest_size=8).hexdigest(), batch=50,
     poll_s=0.01, scan_s=0.05).run(deliver, threading.Event())
"""


def wait_for_size(path: Path, count: int) -> None:
    end = time.monotonic() + 60
    while not path.exists() or path.read_bytes().count(b"\n") < count:
        assert time.monotonic() < end
        time.sleep(0.01)


class TestTrouble:
    def test_an_unreadable_file_does_not_stop_the_others(self, tail, folder, sink, running, eventually) -> None:
        (folder / "loop.log").symlink_to("loop.log")
        (folder / "good.log").write_bytes(lines(1))
        (folder / "directory.log").mkdir()
        reader = tail("*.log")
        with running(reader.run, sink):
            sink.wait(1)
            assert "loop.log" in reader.problem
            (folder / "loop.log").unlink()
            (folder / "loop.log").write_bytes(lines(2))
            sink.wait(2)
            eventually(lambda: reader.problem is None)

    def test_no_permission_and_then_it_is_given(self, tail, log, sink, running, eventually) -> None:
        log.write_bytes(lines(1))
        log.chmod(0)
        reader = tail()
        if os.geteuid() == 0:
            os.seteuid(65534)  # root reads everything; for others the directories above are closed as well
        try:
            with running(reader.run, sink):
                eventually(lambda: reader.problem)
                assert reader.problem == f"{log}: Permission denied"
        finally:
            if os.getuid() == 0:
                os.seteuid(0)
        log.chmod(0o644)
        with running(reader.run, sink):
            sink.wait(1)

    def test_a_gzip_that_is_cut_short(self, tail, log, sink, running, eventually) -> None:
        packed = gzip.compress(b"".join(b"%d %s\n" % (n, os.urandom(20).hex().encode()) for n in range(2000)))
        archive = log.with_name("access.log.1.gz")
        archive.write_bytes(packed[: len(packed) // 2])
        reader = tail("access.log*")
        with running(reader.run, sink):
            eventually(lambda: sink.records and reader.problem)
            assert str(archive) in reader.problem
            archive.write_bytes(packed)
            eventually(lambda: len(sink.unique) >= 2000 and reader.problem is None)

    def test_zstd_is_named(self, tail, folder, sink, running, eventually) -> None:
        (folder / "access.log").write_bytes(b"\x28\xb5\x2f\xfd....")
        reader = tail()
        with running(reader.run, sink):
            eventually(lambda: reader.problem)
            assert "zstd" in reader.problem

    def test_notes_of_files_long_gone_are_dropped(self, tail, folder, sink, running, notes, eventually) -> None:
        with running(tail("*.log", linger_s=0).run, sink):
            for n in range(300):
                (folder / f"{n}.log").write_bytes(lines(n))
            sink.wait(300)
            for n in range(300):
                (folder / f"{n}.log").unlink()
            eventually(lambda: "portal" in notes.notes and len(notes.notes["portal"]) <= 200)


class TestReadFile:
    def test_gives_the_positions_of_the_tail(self, tail, log, sink, running, fingerprint) -> None:
        log.write_bytes(b"\0\0" + lines(*range(3000)) + b"last")
        archive = log.with_name("copy.gz")
        archive.write_bytes(gzip.compress(log.read_bytes()))
        with running(tail().run, sink):
            sink.wait(3000)
        plain = list(read_file(log, fingerprint))
        assert plain[:-1] == sink.records
        assert plain[-1].line == b"last"
        assert list(read_file(archive, fingerprint)) == plain

    def test_an_empty_file_has_no_records(self, log, fingerprint) -> None:
        log.write_bytes(b"")
        assert list(read_file(log, fingerprint)) == []

    @pytest.mark.parametrize("keep", [0.5, 0.999])
    @pytest.mark.parametrize("size", [10, 50_000])
    def test_everything_readable_comes_before_the_error(self, log, fingerprint, size: int, keep: float) -> None:
        text = b"".join(b"%d %s\n" % (n, os.urandom(8).hex().encode()) for n in range(size))
        packed = gzip.compress(text)
        log.write_bytes(packed[: int(len(packed) * keep)])
        records: list[Record] = []
        with pytest.raises(DamagedFileError, match=str(log)):
            records.extend(read_file(log, fingerprint))
        assert len(records) > size * keep * 0.7
        assert b"\n".join(r.line for r in records) == text[: len(b"\n".join(r.line for r in records))]

    def test_a_changed_byte_in_a_gzip(self, log, fingerprint) -> None:
        packed = bytearray(gzip.compress(lines(*range(50_000))))
        packed[-6] ^= 1  # the checksum
        log.write_bytes(packed)
        records: list[Record] = []
        with pytest.raises(DamagedFileError):
            records.extend(read_file(log, fingerprint))
        assert [r.line for r in records] == expected(*range(50_000))

    def test_a_missing_file(self, log, fingerprint) -> None:
        with pytest.raises(FileNotFoundError):
            Content(log)
