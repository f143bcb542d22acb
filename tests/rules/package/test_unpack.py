"""Packages come from outside: what is hostile in them is refused, what is of no use is not read."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from rules.package import unpack as unpacking
from rules.package.unpack import unpack
from soc.errors import ConfigError

RULE = b"title: x\n"


def zipped(path: Path, files: dict[str, bytes], **modes: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = modes.get(name.partition(".")[0], stat.S_IFREG | 0o644) << 16
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return path


def tarred(path: Path, files: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def foldered(path: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return path


def names(source: Path) -> list[str]:
    return sorted(str(path) for path, _ in unpack(source))


@pytest.mark.parametrize("make", [zipped, tarred, foldered])
def test_rules_licence_and_version_are_read_and_nothing_else(tmp_path, make):
    files = {
        "rules/a.yml": RULE, "rules/b.yaml": RULE, "LICENSE.md": b"MIT", "version.txt": b"r2026", "README.md": b"x",
        ".github/workflow.yml": RULE, "rules/.hidden.yml": RULE, "tests/run.py": b"import os",
    }  # fmt: skip
    source = make(tmp_path / "package", files)
    assert names(source) == ["LICENSE.md", "rules/a.yml", "rules/b.yaml", "version.txt"]
    assert {str(path): content for path, content in unpack(source)}["rules/a.yml"] == RULE


@pytest.mark.parametrize("make", [zipped, tarred])
@pytest.mark.parametrize("name", ["../evil.yml", "/etc/evil.yml", "rules/../../evil.yml", "rules\\..\\evil.yml"])
def test_a_package_that_points_outside_itself_is_refused(tmp_path, make, name):
    with pytest.raises(ConfigError, match="points outside"):
        names(make(tmp_path / "package", {"good.yml": RULE, name: RULE}))


def test_links_are_not_followed(tmp_path):
    (tmp_path / "secret.yml").write_bytes(b"title: secret")
    linked = foldered(tmp_path / "folder", {"a.yml": RULE})
    (linked / "link.yml").symlink_to(tmp_path / "secret.yml")
    (linked / "up").symlink_to(tmp_path)
    assert names(linked) == ["a.yml"]
    assert names(zipped(tmp_path / "z", {"a.yml": RULE, "link.yml": b"/etc/passwd"}, link=stat.S_IFLNK)) == ["a.yml"]
    with tarfile.open(tmp_path / "t", "w:gz") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"link{kind.decode()}.yml")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    assert names(tmp_path / "t") == []


def test_a_bomb_is_refused_while_it_is_still_small(tmp_path, monkeypatch):
    bomb = b"\0" * (8 << 20)
    with pytest.raises(ConfigError, match="larger than"):
        names(zipped(tmp_path / "z", {"a.yml": bomb}))
    monkeypatch.setattr(unpacking, "MAX_STREAM", 4 << 20)
    with pytest.raises(ConfigError, match="unpacks to more than"):
        names(tarred(tmp_path / "t", {"big.bin": bomb, "a.yml": RULE}))
    monkeypatch.setattr(unpacking, "MAX_BYTES", 1000)
    with pytest.raises(ConfigError, match="too large"):
        names(zipped(tmp_path / "many", {f"{n}.yml": b"x" * 100 for n in range(20)}))
    monkeypatch.setattr(unpacking, "MAX_ENTRIES", 10)
    with pytest.raises(ConfigError, match="more than 10 files"):
        names(zipped(tmp_path / "files", {f"{n}.txt": b"" for n in range(20)}))


def test_two_files_of_one_name_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="there twice"):
        names(zipped(tmp_path / "z", {"a.yml": RULE, "A.yml": RULE}))


@pytest.mark.parametrize(
    "content", [b"", b"not an archive", b"PK\x03\x04", gzip.compress(b"x" * 5000, mtime=0), b"\x1f\x8b\x08"]
)
def test_what_is_no_package_is_told(tmp_path, content):
    (tmp_path / "package").write_bytes(content)
    with pytest.raises(ConfigError, match="package"):
        names(tmp_path / "package")
    with pytest.raises(ConfigError, match="no such file"):
        names(tmp_path / "gone")


def test_a_package_that_was_cut_short_is_told(tmp_path):
    whole = tarred(tmp_path / "t", {f"{n}.yml": bytes(range(256)) * 40 for n in range(50)}).read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConfigError):
        names(tmp_path / "cut")
