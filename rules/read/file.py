"""Reading a file of rules, within limits."""

from __future__ import annotations

from pathlib import Path

from soc.errors import RuleError

MAX_FILE_BYTES = 1 << 20


def read(path: Path, errors: list[RuleError]) -> bytes | None:
    """The content of a file; when it is not to be had, None and an error more."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)  # its size may be unknown: `--rules <(...)`
    except OSError as error:
        errors.append(RuleError(f"cannot be read: {error.strerror or error}", path))
        return None
    if len(content) > MAX_FILE_BYTES:
        errors.append(RuleError(f"the file is larger than {MAX_FILE_BYTES} bytes: split it", path))
        return None
    return content
