"""Rule files to a RuleSet. One bad rule never stops the others: every fault is collected, with file, line and column.

file -> Compiled   from the cache, or by `rules.compile.build` (YAML, pySigma), which only then is imported
all  -> RuleSet    by `rules.load.link`: filters, correlations, ids
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache as once
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from rules.compile.draft import Compiled, Filter, Unpacker, pack
from rules.compile.pipeline import Reference, fingerprint, pipeline_of
from rules.condition import Condition
from rules.load.cache import Cache
from rules.load.link import linked
from rules.load.placed import Placed
from rules.read.file import read
from rules.rule import RuleSet
from soc.errors import RuleError
from soc.model.rule import LogSource

if TYPE_CHECKING:
    from rules.compile.build import Builder

CONTENT = Path(__file__).parents[1] / "content"
MAX_FILES = 50_000
MAX_BYTES = 256 << 20  # of all files

Progress = Callable[[int, int], None]  # files compiled so far, files to compile; those from the cache do not count


@dataclass(frozen=True, slots=True)
class Folder:
    """Rules that belong together: a file or a directory of them (`*.yml`, `*.yaml`; `*.cases.yml` are left out), and what every one of
    them goes through. `instead`: path -> text that is taken in place of what is in the file, be it there or not."""

    path: Path
    pipelines: Sequence[Reference] = ()
    instead: Mapping[str, str] = field(default_factory=dict)


def load(
    paths: Iterable[Path] = (CONTENT,),
    pipelines: Sequence[Reference] = (),
    *,
    cache: Cache | None = None,
    progress: Progress | None = None,
) -> RuleSet:
    """Load rule files and directories of them, in the order of their names.

    `pipelines`: pySigma processing pipelines, applied to every rule. Raises ConfigError when a pipeline is not usable.
    """
    folders = [Folder(path, pipelines) for path in paths]
    return load_folders(folders, cache=cache, progress=progress)


def load_folders(
    folders: Iterable[Folder],
    *,
    cache: Cache | None = None,
    progress: Progress | None = None,
) -> RuleSet:
    """As `load`, each folder with pipelines of its own. Their rules may name each other; of two with one id, the first one is taken."""
    errors: list[RuleError] = []
    loading = _Loading(cache)
    for folder in folders:
        for file in _files(folder, errors):
            if not _is_text(str(file)):
                errors.append(RuleError("its name is not UTF-8: rename it", file))
                continue
            text = folder.instead.get(str(file))
            content = read(file, errors) if text is None else text.encode(errors="surrogatepass")
            if content is None:
                continue
            if not loading.add(str(file), content, folder.pipelines):
                errors.append(
                    RuleError(f"more than {MAX_BYTES >> 20} MB of rules; the files from here on are left out", file)
                )
                return loading.ruleset(errors, progress)
    return loading.ruleset(errors, progress)


def loads(text: str, path: str = "<text>", pipelines: Sequence[Reference] = ()) -> RuleSet:
    """The rules of one text; `path` is the name that its errors carry."""
    return of_texts([(path, text, pipelines)])


def of_texts(texts: Iterable[tuple[str, str, Sequence[Reference]]]) -> RuleSet:
    """The rules of several texts, as (name, text, pipelines): of rules that were loaded before, say, and are kept without their files."""
    loading = _Loading(None)
    for path, text, pipelines in texts:
        loading.add(path, text.encode(errors="surrogatepass"), pipelines)
    return loading.ruleset([], None)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_cases(path: PurePath) -> bool:
    return path.name.endswith((".cases.yml", ".cases.yaml"))


def _files(folder: Folder, errors: list[RuleError]) -> list[Path]:
    path = folder.path
    replaced = {Path(name) for name in folder.instead}
    try:
        path.stat()
    except OSError as error:
        away = isinstance(error, FileNotFoundError)
        reason = "no such file or directory" if away else f"cannot be read: {error.strerror or error}"
        errors.append(RuleError(reason, path))
        return sorted(replaced)
    if path.is_dir():
        files = sorted({*_walked(path, errors), *replaced})
        if len(files) > MAX_FILES:
            errors.append(RuleError(f"{len(files)} files; only the first {MAX_FILES} are loaded", path))
        return files[:MAX_FILES]
    return [path]


def _walked(folder: Path, errors: list[RuleError]) -> Iterator[Path]:
    def unread(error: OSError) -> None:
        errors.append(RuleError(f"cannot be read: {error.strerror or error}", error.filename))

    for place, _, names in os.walk(folder, onerror=unread):
        for name in names:
            file = Path(place, name)
            if file.suffix in (".yml", ".yaml") and not is_cases(file) and file.is_file():
                yield file


class _Loading:
    """What is being loaded, file by file; what the cache does not know is compiled at the end, when its number is known."""

    def __init__(self, cache: Cache | None) -> None:
        self._cache = cache
        self._through: dict[tuple[Reference, ...], _Through] = {}
        self._unpacker = Unpacker()
        self._found: list[tuple[str, _Through, Compiled | bytes]] = []
        self._bytes = 0

    def add(self, path: str, content: bytes, pipelines: Sequence[Reference]) -> bool:
        """False when it would be too much."""
        self._bytes += len(content)
        if self._bytes > MAX_BYTES:
            return False
        through = self._through.get(tuple(pipelines))
        if through is None:
            through = _Through(tuple(pipelines), self._cache, self._unpacker)
            self._through[tuple(pipelines)] = through
        self._found.append((path, through, through.known(content) or content))
        return True

    def ruleset(self, errors: list[RuleError], progress: Progress | None) -> RuleSet:
        total = sum(isinstance(compiled, bytes) for _, _, compiled in self._found)
        done = 0
        placed: list[Placed] = []
        filters: list[tuple[Filter, str]] = []
        for path, through, compiled in self._found:
            if isinstance(compiled, bytes):
                compiled = through.built(compiled)
                done += 1
                if progress is not None:
                    progress(done, total)
            errors += (fault.error(path) for fault in compiled.faults)
            placed += (Placed(draft, path, through.names, through.narrowing) for draft in compiled.drafts)
            filters += ((narrow, path) for narrow in compiled.filters)
        rules = linked(placed, filters, errors)
        return RuleSet(tuple(rules), tuple(errors))


class _Through:
    """Compiles what goes through the same pipelines, or takes it from the cache."""

    def __init__(self, references: tuple[Reference, ...], cache: Cache | None, unpacker: Unpacker) -> None:
        self.names = tuple(map(str, references))
        self._references = references
        self._cache = cache
        self._unpacker = unpacker
        self._salt = f"{compiler_version()} {fingerprint(references)} ".encode() if cache is not None else b""
        self._builder: Builder | None = None
        self._narrowing: dict[tuple[str, LogSource], Condition] = {}

    def known(self, content: bytes) -> Compiled | None:
        """What the cache has of a file of this content."""
        if self._cache is None or (packed := self._cache.get(self._key("rules", content))) is None:
            return None
        try:
            compiled = self._unpacker.compiled(packed)
        except ValueError:
            return None
        return compiled

    def built(self, content: bytes) -> Compiled:
        compiled = self._compiler().build(content)
        if self._cache is not None and (packed := pack(compiled)) is not None:
            self._cache.put(self._key("rules", content), packed)
        return compiled

    def narrowing(self, narrow: Filter, logsource: LogSource) -> Condition:
        key = narrow.text, logsource
        if key not in self._narrowing:
            self._narrowing[key] = self._narrowed(narrow, logsource)
        return self._narrowing[key]

    def _narrowed(self, narrow: Filter, logsource: LogSource) -> Condition:
        key = self._key("filter", f"{logsource}\0{narrow.text}".encode(errors="surrogatepass"))
        if self._cache is not None and (packed := self._cache.get(key)) is not None:
            try:
                return self._unpacker.condition(packed)
            except ValueError:
                pass
        condition = self._compiler().narrowing(narrow.text, logsource)
        if self._cache is not None and (packed := pack(condition)) is not None:
            self._cache.put(key, packed)
        return condition

    def _compiler(self) -> Builder:
        if self._builder is None:
            # pySigma takes 0.2 s and 20 MB to import: only for compiling, never for what the cache has.
            from rules.compile.build import Builder

            self._builder = Builder(pipeline_of(self._references))
        return self._builder

    def _key(self, kind: str, content: bytes) -> str:
        return f"{kind} {blake2b(self._salt + content, digest_size=16).hexdigest()}"


@once
def compiler_version() -> str:
    """Changes with our compiler, pySigma and what else decides what a rule becomes."""
    digest = blake2b(digest_size=16)
    here = Path(__file__).parents[1]
    decisive = (here / name for name in ("condition.py", "logsource.py", "predicate.py", "regex.py", "rule.py"))
    for file in (
        *decisive,
        *(file for part in ("compile", "load", "read") for file in sorted((here / part).glob("*.py"))),
    ):
        digest.update(file.read_bytes())
    for name in ("pysigma", "pyyaml", "google-re2"):
        try:
            installed = distribution(name)
            digest.update((installed.version + (installed.read_text("RECORD") or "")).encode())
        except PackageNotFoundError:
            digest.update(b"?")
    return digest.hexdigest()
