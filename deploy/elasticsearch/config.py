"""What a node reads when it starts: its settings, the options of Java, its keystore and its certificate."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

from deploy.elasticsearch.place import give, own, program, tool

QUICK = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
_CERTS = "certs"


def write(folder: Path, settings: Mapping[str, object], heap: str, *, quick: bool) -> None:
    """Settings and options, anew at each start. `quick`: starts with half the work, and runs slower."""
    options = (program() / "config" / "jvm.options").read_text().splitlines()
    options = [line for line in options if not line.startswith(("-Xlog", "-XX:+HeapDump"))]
    if quick:
        options = [line for line in options if line != "-XX:+UseG1GC"] + QUICK
    (folder / "jvm.options").write_text("\n".join([*options, f"-Xms{heap}", f"-Xmx{heap}", ""]))
    lines = (f"{key}: {json.dumps(value)}" for key, value in settings.items())
    (folder / "elasticsearch.yml").write_text("\n".join([*lines, ""]))


def make(folder: Path, certificates: Path | None, password: str) -> None:
    """The rest, once. With `certificates`: TLS, and `password` of the first user."""
    new = folder.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    shutil.copytree(program() / "config", own(new, 0o755), dirs_exist_ok=True)
    # Left to the server it would make one itself, in a folder that it may not write to.
    tool("elasticsearch-keystore", "create", config=new)
    if certificates:
        tool("elasticsearch-keystore", "add", "-x", "-f", "bootstrap.password", config=new, stdin=password)
        shutil.copytree(certificates, new / _CERTS)
        give(*new.glob(f"{_CERTS}/*/*.key"))
    give(new / "elasticsearch.keystore")
    new.rename(folder)


def security() -> dict[str, object]:
    """The settings of TLS on both ports."""
    settings: dict[str, object] = {"xpack.security.autoconfiguration.enabled": False}
    for side in ("http", "transport"):
        settings |= {
            f"xpack.security.{side}.ssl.enabled": True,
            f"xpack.security.{side}.ssl.key": f"{_CERTS}/node/node.key",
            f"xpack.security.{side}.ssl.certificate": f"{_CERTS}/node/node.crt",
            f"xpack.security.{side}.ssl.certificate_authorities": [f"{_CERTS}/ca/ca.crt"],
        }
    return settings


def make_certificates(folder: Path) -> None:
    """A certificate authority and one certificate for 127.0.0.1, below `folder`; the authority's key is not kept."""
    own(folder, 0o700)
    instances, ca, made = folder / "instances.yml", folder / "ca.zip", folder / "certs.zip"
    instances.write_text("instances: [{name: node, dns: [localhost], ip: [127.0.0.1]}]\n")
    tool("elasticsearch-certutil", "ca", "--silent", "--pem", "--pass", "", "--out", str(ca))
    with zipfile.ZipFile(ca) as archive:
        archive.extractall(folder)
    key = folder / "ca" / "ca.key"
    keys = ("--ca-cert", str(folder / "ca" / "ca.crt"), "--ca-key", str(key))
    tool("elasticsearch-certutil", "cert", "--silent", "--pem", "--in", str(instances), *keys, "--out", str(made))
    with zipfile.ZipFile(made) as archive:
        archive.extractall(folder)
    for leftover in (instances, ca, made, key):
        leftover.unlink()
    (folder / "node" / "node.key").chmod(0o600)
    folder.chmod(0o755)
