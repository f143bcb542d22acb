"""The provincial portal: nginx access and error log. Citizens read, search, sign in and submit; crawlers crawl; a monitor looks."""

from __future__ import annotations

from random import Random
from urllib.parse import quote, quote_plus

from soc.simulator.calendar import strain
from soc.simulator.line import Entry
from soc.simulator.native import HOST
from soc.simulator.people import AGENTS, Citizen, citizen, desk_address

SITE = f"https://{HOST}"
# What people type, quotes, operators and words of SQL included: ordinary all the same.
SEARCHES = (
    "đăng ký kết hôn", "đăng ký khai sinh cho con", "cấp lại thẻ bảo hiểm y tế", "chứng thực bản sao từ bản chính",
    "cấp đổi giấy phép lái xe", "tra cứu hồ sơ đất đai", "sang tên sổ đỏ", "trợ cấp thai sản", "lệ phí trước bạ",
    "hội nông dân & công đoàn", "thủ tục 'liên thông' khai sinh", "hộ kinh doanh (cá thể) đăng ký mới", "nghị định 61/2018",
    "union", "select hồ sơ", "order by ngày nộp", "mẫu đơn 01 or 02", "lương < 5 triệu and con nhỏ", "O'Neill và con",
    "java script là gì", "đổi mật khẩu; quên mật khẩu", "50% phí dịch vụ", "cấp xã + cấp tỉnh = bao nhiêu", "update thông tin cư trú",
)  # fmt: skip
CODES = tuple(f"1.{number:06d}" for number in range(4001, 6166, 7))  # those that are asked for most come first
PROCEDURES = tuple(f"/thu-tuc/{code}" for code in CODES)
# What citizens read: one procedure is a seventh of it, forty are half of it, and what a hundred are about only crawlers read.
_READ = tuple(PROCEDURES[int(len(CODES) * (n / len(CODES)) ** 3)] for n in range(len(CODES)))
_ASSETS = (
    "/assets/app.6f1c.css",
    "/assets/app.91be.js",
    "/assets/vendor.55d0.js",
    "/assets/fonts/be-vietnam.woff2",
    "/images/quoc-huy.png",
)
_NEWS = tuple(f"/tin-tuc/{year}/{number}" for year in (2025, 2026) for number in range(1, 120))
_PAGES = PROCEDURES + _NEWS
_GONE = tuple(f"/cong-bo/tthc-{number}.aspx" for number in range(100, 400))
_CRAWLERS = (
    ("198.19.255.10", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
    ("198.19.255.20", "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)"),
    ("198.19.255.30", "Mozilla/5.0 (compatible; coccocbot-web/1.0; +http://help.coccoc.com/searchengine)"),
)
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def request(
    at: int,
    address: str,
    agent: str,
    target: str,
    status: int = 200,
    size: int = 0,
    referrer: str = "-",
    method: str = "GET",
    seconds: float = 0.004,
) -> Entry:
    """One request. `seconds`: how long the answer took."""
    return Entry(
        at,
        "nginx.access",
        {
            "address": address, "method": method, "target": target, "status": status, "size": size, "referrer": referrer,
            "agent": agent, "seconds": seconds,
        },
    )  # fmt: skip


def error(at: int, message: str, address: str, target: str, level: str = "error", method: str = "GET") -> Entry:
    """What the error log says of a request."""
    return Entry(
        at,
        "nginx.error",
        {"level": level, "message": message, "address": address, "method": method, "target": target},
    )


def _seconds(at: int, rng: Random, median_ms: float) -> float:
    return median_ms / 1000 * strain(at) * rng.lognormvariate(0, 0.5)


def visit(at: int, rng: Random) -> list[Entry]:
    """A citizen's visit: pages with their assets, a search, sometimes a sign-in and a file."""
    who = citizen(rng)
    address = desk_address(rng) if rng.random() < 0.15 else who.address
    lines = _page(at, rng, address, who.agent, "/", first=rng.random() < 0.4)
    for _ in range(rng.randrange(1, 5)):
        at = lines[-1].at + rng.randrange(3_000, 40_000)
        lines += _page(at, rng, address, who.agent, rng.choice(_READ) if rng.random() < 0.6 else rng.choice(_NEWS))
    if rng.random() < 0.5:
        at = lines[-1].at + rng.randrange(2_000, 15_000)
        words = rng.choice(SEARCHES)
        spelled = quote_plus(words) if rng.random() < 0.5 else quote(words)
        lines.append(
            request(
                at,
                address,
                who.agent,
                f"/tim-kiem?tu-khoa={spelled}&trang={rng.randrange(1, 4)}",
                200,
                rng.randrange(9_000, 40_000),
                f"{SITE}/",
                seconds=_seconds(at, rng, 340),
            )
        )
    if rng.random() < 0.25:
        lines += _submit(lines[-1].at + rng.randrange(4_000, 20_000), rng, who, address)
    if rng.random() < 0.02:
        lines.append(request(lines[-1].at + 5_000, address, who.agent, rng.choice(_GONE), 404, 548))
    return lines


def _page(at: int, rng: Random, address: str, agent: str, path: str, first: bool = False) -> list[Entry]:
    status = 200 if rng.random() < 0.999 else rng.choice((500, 502))
    size, took = rng.randrange(6_000, 60_000), _seconds(at, rng, 150)
    lines = [request(at, address, agent, path, status, size, f"{SITE}/", seconds=took)]
    if first:
        lines += [
            request(at + 80 + 30 * i, address, agent, asset, 200, 4_000 + 9_000 * i, SITE + path)
            for i, asset in enumerate(_ASSETS)
        ]
        if rng.random() < 0.1:
            lines.append(request(at + 400, address, agent, "/favicon.ico", 404, 548, SITE + path))
            lines.append(
                error(
                    at + 400,
                    'open() "/srv/portal/favicon.ico" failed (2: No such file or directory)',
                    address,
                    "/favicon.ico",
                )
            )
    if status != 200 and rng.random() < 0.5:
        lines.append(
            error(
                at + 500,
                "upstream timed out (110: Connection timed out) while reading response header from upstream",
                address,
                path,
            )
        )
    return lines


def _submit(at: int, rng: Random, who: Citizen, address: str) -> list[Entry]:
    """Sign in by SSO, fill in a form, upload two documents, look at the file."""
    agent, state = who.agent, "".join(rng.choices(_BASE64, k=180))
    number = f"H27.{rng.randrange(10, 99)}-26{rng.randrange(1, 12):02d}{rng.randrange(1, 28):02d}-{rng.randrange(10_000):04d}"
    lines = [request(at - 3_000, address, agent, "/dang-nhap", 401, 310, SITE, "POST")] if rng.random() < 0.08 else []
    steps = [
        (f"/sso/callback?code={''.join(rng.choices(_BASE64, k=43))}&state={state}", 302, 0, "GET"),
        ("/ho-so/nop-truc-tuyen", 200, 51_200, "GET"),
        (f"/api/cong-dan/{who.identity}", 200, 840, "GET"),
        ("/api/tep-dinh-kem", 201, 96, "POST"),
        ("/api/tep-dinh-kem", 201, 96, "POST"),
        ("/ho-so/nop-truc-tuyen", 302, 0, "POST"),
        (f"/ho-so/{number}?so_dien_thoai={who.phone}", 200, 18_300, "GET"),
    ]
    for target, status, size, method in steps:
        took = _seconds(at, rng, 260)
        lines.append(request(at, address, agent, target, status, size, f"{SITE}/ho-so", method, took))
        at += rng.randrange(500, 45_000)
    if rng.random() < 0.1:
        lines.append(
            error(
                at,
                "a client request body is buffered to a temporary file /var/lib/nginx/body/0000004217",
                address,
                "/api/tep-dinh-kem",
                "warn",
                "POST",
            )
        )
    return lines


def crawl(at: int, rng: Random) -> list[Entry]:
    """A search engine fetches some dozens of pages; a few old links are dead."""
    address, agent = rng.choice(_CRAWLERS)
    lines = [request(at, address, agent, "/robots.txt", 200, 120)]
    for _ in range(rng.randrange(20, 70)):
        at += rng.randrange(800, 6_000)
        if rng.random() < 0.06:
            lines.append(request(at, address, agent, rng.choice(_GONE), 404, 548))
        else:
            took = _seconds(at, rng, 150)
            lines.append(
                request(at, address, agent, rng.choice(_PAGES), 200, rng.randrange(6_000, 60_000), seconds=took)
            )
    return lines


def monitor(at: int, _rng: Random) -> list[Entry]:
    return [request(at, "10.33.200.5", "curl/7.88.1", "/livez", 200, 15)]


def attack_agent(rng: Random) -> str:
    return rng.choice(AGENTS)
