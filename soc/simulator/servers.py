"""The servers of the data centre: sshd, sudo and cron, as rsyslog writes them on a current Debian."""

from __future__ import annotations

from random import Random

from soc.simulator.line import Entry

HOSTS = ("portal-web01", "portal-web02", "motcua-app01", "lgsp-gw01", "csdl-db01")
_ADMINS = ("quantri", "vanhanh", "sonnt", "haipv", "maitt")
_COMMANDS = (
    "/usr/bin/systemctl reload nginx",
    "/usr/bin/journalctl -u nginx --since today",
    "/usr/bin/apt-get update",
    "/usr/bin/tail -n 200 /var/log/syslog",
)


def message(at: int, host: str, tag: str, text: str, **facts: object) -> Entry:
    """`tag` is the program with its process id: `sshd[812]`. `facts`: what it says, by ECS names with `__` for the dots."""
    named = {name.replace("__", "."): value for name, value in facts.items()}
    return Entry(at, "linux.auth", {"host": host, "tag": tag, "text": text, "facts": named})


def login(
    at: int, host: str, tag: str, who: str, address: str, port: int, how: str = "password", ok: bool = False
) -> Entry:
    """sshd's word on one attempt. `who` with `invalid user` before it where nobody has that name."""
    end = ": ED25519 SHA256:Zq3v7d1rTqk" if how == "publickey" else ""
    text = f"{'Accepted' if ok else 'Failed'} {how} for {who} from {address} port {port} ssh2{end}"
    return message(
        at, host, tag, text,
        event__action="ssh_login", event__outcome="success" if ok else "failure", user__name=who.removeprefix("invalid user "),
        source__ip=address, source__port=port,
    )  # fmt: skip


def administer(at: int, rng: Random) -> list[Entry]:
    """An administrator signs in from the management network, works a while and leaves; passwords get mistyped."""
    host, who, process = rng.choice(HOSTS), rng.choice(_ADMINS), rng.randrange(1000, 60_000)
    tag, address, port = f"sshd[{process}]", f"10.33.250.{rng.randrange(10, 40)}", rng.randrange(40_000, 60_000)
    lines: list[Entry] = []
    if rng.random() < 0.5:
        for _ in range(rng.choice((0, 0, 0, 1, 1, 2))):
            lines.append(login(at, host, tag, who, address, port))
            at += rng.randrange(3_000, 9_000)
        lines.append(login(at, host, tag, who, address, port, ok=True))
    else:
        lines.append(login(at, host, tag, who, address, port, "publickey", ok=True))
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


def cron(at: int, rng: Random) -> list[Entry]:
    host, tag = rng.choice(HOSTS), f"CRON[{rng.randrange(1000, 60_000)}]"
    return [
        message(at, host, tag, "pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)"),
        message(at + 900, host, tag, "pam_unix(cron:session): session closed for user root"),
    ]
