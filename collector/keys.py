"""The masking keys of the organisations, kept in files."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from urllib.parse import quote

from collector.privacy import KEY_BYTES, Masker
from soc.errors import ConfigError


class KeyRing:
    """One 32-byte masking key an organisation, each in a file that only its owner may read."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._maskers: dict[str, Masker] = {}

    def masker(self, org: str) -> Masker:
        """The masker of an organisation; its key is made on first use. Raises `ConfigError` when the file is unusable."""
        if org not in self._maskers:
            self._maskers[org] = Masker(self.key(org))
        return self._maskers[org]

    def has(self, org: str) -> bool:
        """Whether the organisation's key is on this machine and for us to read. Where it is not, nothing was ever masked, or elsewhere."""
        return os.access(self._path(org), os.R_OK)

    def token(self, org: str, kind: str, value: str) -> str | None:
        """What stands for a number in the organisation's lines; None where `has` says no. Raises `ConfigError` as `key` does."""
        return self.masker(org).token(kind, value) if self.has(org) else None

    def key(self, org: str) -> bytes:
        """Processes that race for a new key all get the same one: a hard link to a finished file is made by one only."""
        path = self._path(org)
        try:
            if not path.exists():
                self._make(path)
            key = path.read_bytes()
        except OSError as error:
            raise ConfigError(f"masking key {path}: {error.strerror or error}") from error
        if len(key) != KEY_BYTES:
            raise ConfigError(
                f"masking key {path}: has {len(key)} bytes instead of {KEY_BYTES}; restore it from a backup"
            )
        return key

    def _path(self, org: str) -> Path:
        return self.directory / f"{quote(org, safe='').replace('.', '%2E')[:200] or '%'}.key"

    def _make(self, path: Path) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(draft, path)
            except FileExistsError:
                return
        finally:
            draft.unlink()
