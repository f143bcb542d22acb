"""Passwords and random secrets: argon2id for what people choose, SHA-256 for what we drew ourselves."""

from __future__ import annotations

import hashlib
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

# One of OWASP's equal choices: 12 MiB, three passes. Sign-ins run one at a time, so this is also the peak.
_HASHER = PasswordHasher(time_cost=3, memory_cost=12_288, parallelism=1)
MIN_CHARACTERS = 10


def hash_password(password: str) -> str:
    return _HASHER.hash(password)


def verify(stored: str | None, password: str) -> bool:
    """Takes as long where there is no such account (`stored` is None): names cannot be guessed by the clock."""
    try:
        return _HASHER.verify(stored or _NOBODY, password) and stored is not None
    except (Argon2Error, InvalidHashError):
        return False


def new_secret() -> str:
    """256 random bits, fit for a header or a cookie."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is kept of a session, an API key or a token. The secret has 256 random bits, so a fast hash is enough."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


_NOBODY = hash_password(secrets.token_hex(16))
