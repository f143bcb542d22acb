"""Citizens, officers and their addresses: all invented. Addresses are of ranges that are reserved for tests (RFC 2544, 5737)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from random import Random

# Carrier -> share of citizens, prefixes (numbering plan of 2018).
CARRIERS = {
    "viettel": (0.52, "032 033 034 035 036 037 038 039 086 096 097 098".split()),
    "vinaphone": (0.23, "081 082 083 084 085 088 091 094".split()),
    "mobifone": (0.19, "070 076 077 078 079 089 090 093".split()),
    "vietnamobile": (0.04, "052 056 058 092".split()),
    "gmobile": (0.02, "059 099".split()),
}
_CARRIER_NAMES = tuple(CARRIERS)
_CARRIER_SHARES = tuple(accumulate(share for share, _ in CARRIERS.values()))

_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
AGENTS = (
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/131.0.0.0 Safari/537.36",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} coc_coc_browser/130.0.0 Chrome/124.0.0.0 Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 14; SM-A546E) {_WEBKIT} Chrome/131.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148",
    f"Mozilla/5.0 (Linux; Android 13; CPH2471) {_WEBKIT} Zalo android/24110 ZaloTheme/light",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
)
_PROVINCES = (33, 34, 1, 30, 35, 31)  # of birth, as a citizen id begins
_FAMILIES = "nguyen tran le pham hoang phan vu dang bui do ho ngo".split()
_GIVEN = "an binh chi dung giang ha hung khanh lan linh mai minh nam oanh phuc quang son thao tuan yen".split()
COMMUNES = (
    "phohien khoaichau yenmy vangiang myhao anthi phucu tienlu kimdong vanlam thaibinh kienxuong tienhai dongan".split()
)


@dataclass(frozen=True, slots=True)
class Citizen:
    phone: str
    carrier: str
    identity: str  # CCCD, 12 digits
    address: str
    agent: str


@dataclass(frozen=True, slots=True)
class Officer:
    """`commune`: its agency code; `share`: how much of the province's desk work is theirs."""

    name: str
    address: str
    commune: str
    share: float


def agency(commune: int) -> str:
    """The agency code of a commune of `COMMUNES`."""
    return f"H27.{21 + commune}"


def citizen(rng: Random, carrier: str | None = None) -> Citizen:
    carrier = carrier or rng.choices(_CARRIER_NAMES, cum_weights=_CARRIER_SHARES)[0]
    return Citizen(phone(rng, carrier), carrier, identity(rng), home_address(rng), rng.choice(AGENTS))


def phone(rng: Random, carrier: str) -> str:
    return f"{rng.choice(CARRIERS[carrier][1])}{int(rng.random() * 10**7):07d}"


def identity(rng: Random) -> str:
    """CCCD: province of birth, century and sex, year, serial."""
    birth = int(rng.random() * 126)  # year and sex
    year = 1945 + birth // 2
    century = (2 if year >= 2000 else 0) + birth % 2
    serial = int(rng.random() * 6_000_000)  # with the province of birth
    return f"{_PROVINCES[serial // 10**6]:03d}{century}{year % 100:02d}{serial % 10**6:06d}"


def home_address(rng: Random) -> str:
    number = int(rng.random() * (1 << 17))
    return f"198.{18 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def desk_address(rng: Random) -> str:
    """The one address behind which a commune's one-stop desk works."""
    return f"10.33.{int(rng.random() * 104)}.1"


def attacker_address(rng: Random) -> str:
    return f"{rng.choice(('203.0.113', '198.51.100', '192.0.2'))}.{rng.randrange(2, 254)}"


def officers(rng: Random, count: int) -> tuple[Officer, ...]:
    """The officers of all communes; some handle several times as many files as others."""
    return tuple(
        Officer(
            f"{rng.choice(_GIVEN)}{rng.choice(_FAMILIES)[0]}{i}.{COMMUNES[commune]}",
            desk_address(rng),
            agency(commune),
            rng.lognormvariate(0, 0.5),
        )
        for i in range(count)
        for commune in (rng.randrange(len(COMMUNES)),)
    )
