"""The servers of the data centre: sshd, sudo and cron, as rsyslog writes them on a current Debian."""

from __future__ import annotations

from random import Random

from soc.simulator.line import Line, iso

HOSTS = ("portal-web01", "portal-web02", "motcua-app01", "lgsp-gw01", "csdl-db01")
_ADMINS = ("quantri", "vanhanh", "sonnt", "haipv", "maitt")
_COMMANDS = (
    "/usr/bin/systemctl reload nginx",
    "/usr/bin/journalctl -u nginx --since today",
    "/usr/bin/apt-get update",
    "/usr/bin/tail -n 200 /var/log/syslog",
)


def message(at: int, host: str, tag: str, text: str) -> Line:
    """`tag` is the program with its process id: `sshd[812]`."""
    return Line(at, "linux.auth", f"{iso(at)} {host} {tag}: {text}")


def administer(at: int, rng: Random) -> list[Line]:
    """An administrator signs in from the management network, works a while and leaves; passwords get mistyped."""
    host, who, process = rng.choice(HOSTS), rng.choice(_ADMINS), rng.randrange(1000, 60_000)
    tag, address, port = f"sshd[{process}]", f"10.33.250.{rng.randrange(10, 40)}", rng.randrange(40_000, 60_000)
    lines: list[Line] = []
    if rng.random() < 0.5:
        for _ in range(rng.choice((0, 0, 0, 1, 1, 2))):
            lines.append(message(at, host, tag, f"Failed password for {who} from {address} port {port} ssh2"))
            at += rng.randrange(3_000, 9_000)
        lines.append(message(at, host, tag, f"Accepted password for {who} from {address} port {port} ssh2"))
    else:
        lines.append(
            message(
                at,
                host,
                tag,
                f"Accepted publickey for {who} from {address} port {port} ssh2: ED25519 SHA256:Zq3v7d1rTqk",
            )
        )
    lines.append(
        message(at + 30, host, tag, f"pam_unix(sshd:session): session opened for user {who}(uid=1001) by (uid=0)")
    )
    for _ in range(rng.randrange(3)):
        at += rng.randrange(10_000, 120_000)
        lines.append(
            message(
                at,
                host,
                "sudo",
                f"{who:>8} : TTY=pts/0 ; PWD=/home/{who} ; USER=root ; COMMAND={rng.choice(_COMMANDS)}",
            )
        )
    at += rng.randrange(10_000, 600_000)
    lines.append(message(at, host, tag, f"Received disconnect from {address} port {port}:11: disconnected by user"))
    lines.append(message(at + 20, host, tag, f"pam_unix(sshd:session): session closed for user {who}"))
    return lines


def cron(at: int, rng: Random) -> list[Line]:
    host, tag = rng.choice(HOSTS), f"CRON[{rng.randrange(1000, 60_000)}]"
    return [
        message(at, host, tag, "pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)"),
        message(at + 900, host, tag, "pam_unix(cron:session): session closed for user root"),
    ]
