"""What is deployed: units that systemd finds hardened, a compose file that is one, and what `soc doctor` says of them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import jsonschema_rs
import pytest
import yaml
from prometheus_client import CollectorRegistry, Gauge, start_http_server
from servers import need

from soc.cli.operations_checks import LAST_BACKUP, certificate_checks, note_backup, operations_checks
from soc.settings import Settings

ROOT = Path(__file__).parents[2]
SYSTEMD = ROOT / "deploy" / "systemd"
SERVICES = sorted(SYSTEMD.glob("*.service"))
COMPOSE = ROOT / "deploy" / "container" / "compose.yaml"
MOST_EXPOSED = 3.0


def test_there_is_a_unit_for_each_process():
    target = (SYSTEMD / "govsoc.target").read_text()
    for verb in ("collect", "detect", "observe", "serve"):
        assert f"ExecStart=/opt/govsoc/.venv/bin/soc {verb}\n" in (SYSTEMD / f"govsoc-{verb}.service").read_text()
        assert f"govsoc-{verb}.service" in target


@pytest.mark.server
@pytest.mark.parametrize("unit", SERVICES, ids=lambda path: path.stem)
def test_systemd_finds_it_hardened_and_well_formed(unit: Path, tmp_path: Path):
    need("systemd-analyze")
    said = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", unit], capture_output=True, text=True, check=False
    )
    found = re.search(r"Overall exposure level for .*: ([0-9.]+)", said.stdout)
    assert found, said.stdout + said.stderr
    assert float(found[1]) <= MOST_EXPOSED
    for path in SYSTEMD.glob("govsoc*.*"):
        text = path.read_text().replace("/opt/govsoc/.venv/bin/soc", shutil.which("true") or "/bin/true")
        (tmp_path / path.name).write_text(re.sub(r"^Documentation=.*$", "", text, flags=re.M))
    checked = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / unit.name],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )
    assert checked.returncode == 0, checked.stderr
    assert "govsoc" not in checked.stderr


def test_the_compose_file_is_one():
    """By the schema of the Compose specification, as docker-compose 1.29.2 has it (Apache-2.0); it is of before `name`."""
    schema = json.loads((Path(__file__).parent / "compose_spec.json").read_text())
    written = yaml.safe_load(COMPOSE.read_text())
    assert written.pop("name") == "govsoc"
    jsonschema_rs.validate(schema, written)
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validate(schema, written | {"services": {"x": {"imagine": "y"}}})


def test_what_is_mounted_into_containers_is_there():
    for service in yaml.safe_load(COMPOSE.read_text())["services"].values():
        for volume in service.get("volumes", ()):
            if volume.startswith("."):
                assert (COMPOSE.parent / volume.split(":")[0]).resolve().is_dir()


def test_doctor_says_who_may_look_in_and_how_old_the_backup_is(tmp_path):
    settings = Settings(data_dir=tmp_path)
    tmp_path.chmod(0o755)

    def said() -> dict[str, str]:
        return {check.name: check.state for check in operations_checks(settings, tmp_path / "no", SYSTEMD)}

    assert said() == {"rights": "warn", "backup": "warn"}
    tmp_path.chmod(0o700)
    note_backup(tmp_path, tmp_path / "2026-11-26")
    assert said() == {"rights": "ok", "backup": "ok"}
    old = time.time() - 8 * 86_400
    os.utime(tmp_path / LAST_BACKUP, (old, old))
    assert said() == {"rights": "ok", "backup": "warn"}


def test_doctor_knows_the_units_of_this_version_from_others(tmp_path):
    settings = Settings(data_dir=tmp_path)

    def said() -> list[tuple[str, str]]:
        checks = operations_checks(settings, tmp_path, SYSTEMD)
        return [(check.state, check.found) for check in checks if check.name == "units"]

    assert said() == []
    (tmp_path / "govsoc-detect.service").write_text("[Service]\n")
    [(state, found)] = said()
    assert (state, "govsoc-collect.service" in found) == ("warn", True)
    for path in SYSTEMD.glob("govsoc*.*"):
        shutil.copy(path, tmp_path)
    assert said()[0][0] == "ok"
    (tmp_path / "govsoc-detect.service").write_text("[Service]\n")
    assert said() == [("warn", "not those of this version: govsoc-detect.service")]


def test_doctor_says_which_certificates_end_soon_and_nothing_without_a_collector(tmp_path):
    registry = CollectorRegistry()
    left = Gauge("soc_probe_certificate_left_seconds", "As the collector has it.", ["unit"], registry=registry)
    for unit, days in (("hanoi", 60), ("hungyen", 10), ("laocai", -2)):
        left.labels(unit).set(days * 86_400)
    server, thread = start_http_server(0, "127.0.0.1", registry)
    settings = Settings(data_dir=tmp_path, collect={"http_port": server.server_port})
    try:
        checks = {check.name: check for check in certificate_checks(settings)}
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    states = {name: check.state for name, check in checks.items()}
    assert states == {"certificate hanoi": "ok", "certificate hungyen": "warn", "certificate laocai": "bad"}
    assert "10 days left" in checks["certificate hungyen"].found
    assert list(certificate_checks(settings)) == []
