"""Packages come from outside: what is hostile in them is refused, what is of no use is not read."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import tempfile
import tracemalloc
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


def test_a_name_that_is_not_utf8_is_refused(tmp_path):
    source = tmp_path / "t"
    with tarfile.open(source, "w", encoding="latin-1", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("b\xe4r.yml"))
    with pytest.raises(ConfigError, match=r"'b\\udce4r\.yml', which is not UTF-8"):
        names(source)
    folder = foldered(tmp_path / "f", {"a.yml": RULE})
    (folder / "b\udce4r.yml").write_bytes(RULE)
    with pytest.raises(ConfigError, match="not UTF-8"):
        names(folder)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
@pytest.mark.parametrize("first", [True, False], ids=["at once", "after a file"])
def test_a_header_without_end_is_refused_before_it_is_read(tmp_path, kind, first):
    source = tmp_path / "t"
    with tarfile.open(source, "w:gz") as archive:
        for name, size in (("a.yml", 9), ("big.bin", 6 << 20)) if not first else ():
            info = tarfile.TarInfo(name)
            info.size = size
            archive.addfile(info, io.BytesIO(bytes(size)))
        header = tarfile.TarInfo("././@LongLink")
        header.type, header.size = kind, 64 << 20
        archive.addfile(header, io.BytesIO(b"x" * header.size))
        archive.addfile(tarfile.TarInfo("b.yml"))
    tracemalloc.start()
    with pytest.raises(ConfigError, match="describes a file in more than 4 MiB"):
        names(source)
    assert tracemalloc.get_traced_memory()[1] < 32 << 20
    tracemalloc.stop()


def test_what_tar_remembers_does_not_grow_with_its_members(tmp_path):
    source = tmp_path / "t"
    with tarfile.open(source, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for n in range(60):
            info = tarfile.TarInfo(f"{n}.txt")
            info.pax_headers = {f"comment{n}": "x" * (1 << 20)}
            archive.addfile(info)
    tracemalloc.start()
    assert names(source) == []
    assert tracemalloc.get_traced_memory()[1] < 16 << 20
    tracemalloc.stop()


def test_a_large_file_of_no_interest_is_passed_over(tmp_path):
    assert names(tarred(tmp_path / "t", {"pack.bin": bytes(20 << 20), "a.yml": RULE})) == ["a.yml"]


def test_a_folder_that_cannot_be_read_is_told_and_not_passed_over():
    """Else its rules would be taken for gone."""
    with tempfile.TemporaryDirectory() as place:  # pytest's own are closed to others
        Path(place).chmod(0o755)
        source = foldered(Path(place) / "rules", {"a.yml": RULE, "closed/b.yml": RULE})
        (source / "closed").chmod(0)
        root = os.geteuid() == 0
        try:
            if root:  # may read everything
                os.seteuid(65534)
            with pytest.raises(ConfigError, match=r"closed: cannot be read: Permission denied"):
                names(source)
        finally:
            if root:
                os.seteuid(0)
            (source / "closed").chmod(0o700)
