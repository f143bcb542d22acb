"""Real OpenSSH failures, through a real rsyslog over TCP, to our syslog port."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from servers import eventually, need, stop

from deploy.ports import free_port

pytestmark = pytest.mark.server


@pytest.fixture
def sshd(tmp_path):
    """OpenSSH on a free port; it logs to /dev/log."""
    need("sshd", "ssh", "sshpass", "ssh-keygen")
    key, port = tmp_path / "host_key", free_port()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    Path("/run/sshd").mkdir(parents=True, exist_ok=True)
    config = tmp_path / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {key}\nPidFile none\nUsePAM no\nMaxStartups 100\nLogLevel VERBOSE\n"
    )
    process = subprocess.Popen(
        [shutil.which("sshd", path="/usr/sbin:/sbin:" + os.environ["PATH"]), "-D", "-f", str(config)]
    )
    yield port
    stop(process)


@pytest.fixture
def rsyslog(request, tmp_path, product):
    """rsyslog on /dev/log, forwarding over TCP as a user would configure it."""
    need("rsyslogd")
    if Path("/dev/log").exists():
        pytest.skip("/dev/log belongs to this machine's own syslog")
    config = tmp_path / "rsyslog.conf"
    config.write_text(f"""
        module(load="imuxsock" SysSock.Name="/dev/log" SysSock.RateLimit.Interval="0")
        action(type="omfwd" target="127.0.0.1" port="{product.syslog_port}" protocol="tcp" TCP_Framing="{request.param}"
               template="{"RSYSLOG_SyslogProtocol23Format" if request.param == "octet-counted" else "RSYSLOG_ForwardFormat"}"
               action.resumeRetryCount="-1" action.resumeInterval="1")
    """)
    program = shutil.which("rsyslogd", path="/usr/sbin:/sbin:" + os.environ["PATH"])
    process = subprocess.Popen([program, "-n", "-f", str(config), "-i", str(tmp_path / "rsyslog.pid")])
    eventually(Path("/dev/log").exists, 10, "rsyslog has made /dev/log")
    yield
    stop(process)
    Path("/dev/log").unlink(missing_ok=True)


def try_password(port: int, user: str) -> None:
    subprocess.run(
        ["sshpass", "-p", "wrong", "ssh", "-p", str(port), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
         "-o", "PreferredAuthentications=password", "-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1",
         f"{user}@127.0.0.1", "true"],
        check=False, capture_output=True, timeout=300,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rsyslog", "store"),
    [("octet-counted", "sqlite"), ("traditional", "sqlite"), ("octet-counted", "elasticsearch")],
    indirect=True,
)
def test_failed_passwords_raise_an_alert_that_names_the_source(product, rsyslog, sshd):
    product.soc("sources", "add", "server", "--type", "syslog", "--org", "hungyen", "--from", "127.0.0.1")
    product.start()
    for _ in range(2):
        try_password(sshd, "root")
    eventually(lambda: product.examined() >= 2, 30, "the first failures are examined")
    assert [alert["title"] for alert in product.alerts() if alert["level"] in ("high", "critical")] == []
    for i in range(14):
        try_password(sshd, "root" if i % 2 else f"canbo{i}")

    def brute_force():
        return [
            alert
            for alert in product.alerts()
            if alert["entity"] == "127.0.0.1" and "attack.t1110" in " ".join(alert["tags"])
        ]

    alerts = eventually(brute_force, 60, "a brute force alert")
    found = product.get(f"/alerts/{alerts[0]['id']}/findings?limit=200")["items"]
    assert all(item["event"]["fields"]["event.dataset"] == "linux.auth" for item in found)
    assert all(item["event"]["fields"]["source.ip"] == "127.0.0.1" for item in found)
    assert any("Failed password" in item["event"]["fields"]["event.original"] for item in found)
