"""The one exception tree.

    SocError
    ├── ConfigError         a setting, a file or an argument is wrong: say which, and what to do
    ├── RuleError           a rule cannot be loaded: file, line, column, reason
    ├── ParseError          a record is not of the format it claims: becomes a dead letter
    ├── QueryError          a search expression cannot be read: where and why
    ├── Busy                full for now: slow down and try again (HTTP 429)
    ├── StoreUnavailable    the disk or the server behind a store does not answer (HTTP 503)
    ├── NotFound            no such thing, or not for you to see (HTTP 404)
    ├── Forbidden           you are known, and may not (HTTP 403)
    └── Conflict            somebody else changed it first (HTTP 409)

Messages are written for people: what went wrong, where, what to do. The HTTP status is mapped once, in `api/errors.py`.
"""

from __future__ import annotations

from pathlib import Path

NOT_SUPPORTED = "not supported: "


class SocError(Exception):
    """Root of every error that govsoc raises on purpose."""


class ConfigError(SocError):
    """A setting, a file or an argument is wrong."""


class RuleError(SocError):
    """A rule that cannot be loaded; one bad rule never stops the others."""

    def __init__(
        self, reason: str, path: Path | str | None = None, line: int | None = None, column: int | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        # A name that is no UTF-8 could be neither printed nor stored.
        self.path = str(path).encode(errors="backslashreplace").decode() if path is not None else None
        self.line = line  # from 1, as is `column`
        self.column = column

    @property
    def unsupported(self) -> bool:
        """Whether the rule asks for something that Sigma allows and we cannot do."""
        return self.reason.startswith(NOT_SUPPORTED)

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.path, self.line, self.column) if part is not None)
        return f"{where}: {self.reason}" if where else self.reason


class ParseError(SocError):
    """A record is not of the format it claims. The message never repeats the record's text: it may hold personal data."""


class QueryError(SocError):
    """A search expression cannot be read. `position` counts characters from 0, where it is known."""

    def __init__(self, reason: str, position: int | None = None) -> None:
        super().__init__(reason)
        self.position = position


class Busy(SocError):
    """Full for now. `retry_after_s` is a hint in seconds."""

    def __init__(self, reason: str, retry_after_s: int = 5) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class StoreUnavailable(SocError):
    """The disk or the server behind a store does not answer."""


class NotFound(SocError):
    """No such thing, or not for you to see: the two are never told apart."""


class Forbidden(SocError):
    """You are known, and may not."""


class Conflict(SocError):
    """Somebody else changed it first: read it again, then decide."""
