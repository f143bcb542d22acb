"""What the benchmarks read: nginx lines with values that no cache has seen, about one in a hundred of them an attack."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS {}_6 like Mac OS X) AppleWebKit/605.1.15 Version/17.0 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:{}.0) Gecko/20100101 Firefox/{}.0",
)
_PATHS = (
    "/",
    "/dich-vu-cong/thu-tuc/{}",
    "/ho-so/tra-cuu?ma=H{}",
    "/api/v1/thu-tuc/{}",
    "/static/js/app.{}.js",
    "/tim-kiem?q=khai+sinh+{}",
)
_ATTACKS = (
    "/thu-tuc?id={}%27%20UNION%20ALL%20SELECT%20NULL--",
    "/{}/../../../../etc/passwd",
    "/?x=%3Cscript%3Ealert({})%3C/script%3E",
)
_START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def lines(count: int, seed: int = 1, per_s: int = 200, attacks: float = 0.01) -> Iterator[str]:
    """`count` lines in order of time, `per_s` for each second of event time."""
    rng = random.Random(seed)
    stamp = ""
    for i in range(count):
        if i % per_s == 0:
            stamp = (_START + timedelta(seconds=i // per_s)).strftime("%d/%b/%Y:%H:%M:%S +0000")
        attack = rng.random() < attacks
        ip = f"203.0.113.{rng.randrange(1, 30)}" if attack else _address(rng)
        path = rng.choice(_ATTACKS if attack else _PATHS).format(rng.randrange(10**8))
        agent = rng.choice(_AGENTS).format(rng.randrange(90, 140), rng.randrange(90, 140))
        status = rng.choices((200, 304, 404, 302), (90, 5, 3, 2))[0]
        yield f'{ip} - - [{stamp}] "GET {path} HTTP/1.1" {status} {rng.randrange(200, 90_000)} "-" "{agent}"\n'


def _address(rng: random.Random) -> str:
    return f"{rng.randrange(14, 125)}.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"


def write(path: Path, count: int, seed: int = 1) -> None:
    with path.open("w") as file:
        file.writelines(lines(count, seed))
