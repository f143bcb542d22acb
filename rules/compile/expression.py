"""Expressions: the regular expressions of one rule file, each tried once, so that compiling them has an end soon."""

from __future__ import annotations

import re
from typing import cast

import re2
from sigma.policy.regex_engine import RE2RegexEngine, RegexPattern

from rules.read.fault import UnsupportedError

MAX_PROGRAM = 30_000  # instructions of one compiled expression
MAX_PROGRAMS = 300_000  # of all of a file; the 3,141 public rules have 100,000 together
_MEMORY = 1 << 20  # bytes: RE2 gives up some way above MAX_PROGRAM, instead of compiling whatever it is given
# `selection_.*`: pySigma asks so what the `1 of selection_*` of a condition names. What has no more than that is small.
_NAMES = re.compile(r"[\w.*-]{1,250}")
_FLAGS = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s"}


class Expressions(RE2RegexEngine):
    """As pySigma asks for a regex engine."""

    def __init__(self) -> None:
        super().__init__()
        self._options = re2.Options()
        self._options.max_mem = _MEMORY
        self._options.log_errors = False  # RE2 would write what it refuses to standard error, beside the exception
        self._known: dict[str, re2._Regexp | Exception] = {}
        self._instructions = 0

    def compile(self, pattern: str, flags: int = 0) -> RegexPattern:
        said = "".join(letter for flag, letter in _FLAGS.items() if flags & flag)
        return cast(RegexPattern, self.tried(f"(?{said}){pattern}" if said else pattern))

    def tried(self, regex: str) -> re2._Regexp:
        """Raises `re2.error` for what is no expression, and UnsupportedError for one that is too large, or too large beside the others."""
        if regex not in self._known:
            try:
                self._known[regex] = self._compiled(regex)
            except (re2.error, UnsupportedError) as error:
                self._known[regex] = error
        known = self._known[regex]
        if isinstance(known, Exception):
            raise known.with_traceback(None)
        return known

    def _compiled(self, regex: str) -> re2._Regexp:
        if self._instructions > MAX_PROGRAMS and not _NAMES.fullmatch(regex):
            raise UnsupportedError(
                f"the regular expressions of this file compile to more than {MAX_PROGRAMS} instructions: split it"
            )
        try:
            made = re2.compile(regex, self._options)
        except re2.error as error:
            if b"too large" not in error.args[0]:
                raise
            size = 0
        else:
            size = made.programsize
            self._instructions += size
        if 0 < size <= MAX_PROGRAM:
            return made
        raise UnsupportedError(
            f"a regular expression that compiles to {size or 'many more'} instructions; at most {MAX_PROGRAM} are allowed"
        )
