"""A file that is read while it is written is the old one or the new one."""

from __future__ import annotations

import pytest

from soc.whole import write_whole


def test_it_takes_the_place_of_what_was_there(tmp_path):
    path = tmp_path / "progress.json"
    (tmp_path / "progress.new").write_text("left by a writer that was killed")
    (tmp_path / "progress.new").chmod(0o666)
    write_whole(path, b"1", 0o600)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"1", 0o600)
    write_whole(path, b"2")
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("progress.json", b"2")]


def test_where_it_cannot_be_written_nothing_has_changed(tmp_path):
    path = tmp_path / "progress.json"
    write_whole(path, b"1")
    (tmp_path / "progress.new").mkdir()
    with pytest.raises(IsADirectoryError):
        write_whole(path, b"2")
    assert path.read_bytes() == b"1"
