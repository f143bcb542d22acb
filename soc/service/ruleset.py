"""Which rules run: those of the settings, or those that come with govsoc and those in `rules` of the data directory.

    own rules, such as data/rules/mine/*.yml     first: of two rules with one id, the first one runs
    what comes with govsoc
    packages that were imported                  each through pipelines of its own

A broken edit never takes a running rule away in silence, nor a filter that narrows it. When a file has a fault and something that ran
from it is missing, the whole file goes on as it was before, and its fault says so. What somebody deleted is gone; what cannot be read,
such as a folder on a share that is away, is not taken for deleted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path

from rules.compile.pipeline import fingerprint, split
from rules.desk.doc import doc_of
from rules.load.folders import CONTENT, Folder, Progress, load_folders
from rules.package import manifest
from rules.rule import RuleSet
from soc.errors import ConfigError, RuleError
from soc.model.rule import RuleDoc, joined
from soc.service.compiling import kept
from soc.service.stamps import Stamp, stamps_of
from soc.settings import Settings

KEPT = "the file as it was before goes on running: "


@dataclass(frozen=True, slots=True)
class Chosen:
    """`hash`: of the rules, and of what they went through. `docs`: as they are published, one a rule."""

    ruleset: RuleSet
    docs: tuple[RuleDoc, ...]
    hash: str

    @property
    def said(self) -> list[str]:
        """The faults."""
        return list(map(str, self.ruleset.errors))


def rules_dir(data_dir: Path) -> Path:
    return data_dir / "rules"


def folders(settings: Settings, errors: list[RuleError]) -> list[Folder]:
    """What there is to load; packages that cannot be told are `errors`."""
    detect, place = settings.detect, rules_dir(settings.data_dir)
    pipelines = split(detect.pipeline)
    found = manifest.folders(place, errors)
    imported = [one for one in found if _is_package(place, one)]
    own = [replace(one, pipelines=pipelines) for one in found if not _is_package(place, one)]
    if not detect.rules:
        return [*own, Folder(CONTENT, pipelines), *imported]
    named = [[*own, *imported] if _same(path, place) else [Folder(path, pipelines)] for path in detect.rules]
    return [folder for some in named for folder in some]


def imports_run(settings: Settings) -> bool:
    """Whether the rules folder of the data directory is among those that run."""
    rules, place = settings.detect.rules, rules_dir(settings.data_dir)
    return not rules or any(_same(path, place) for path in rules)


def _same(path: Path, other: Path) -> bool:
    return path.absolute() == other.absolute()


def _is_package(place: Path, folder: Folder) -> bool:
    return folder.path.parent.parent == place


def load_rules(settings: Settings) -> RuleSet:
    """Raises `ConfigError` for a pipeline that is not usable."""
    return choose(settings).ruleset


def choose(
    settings: Settings, before: Sequence[RuleDoc] = (), *, again: bool = False, progress: Progress | None = None
) -> Chosen:
    """Load what there is. `before`: the rules that ran until now, to go on with where a file is broken.

    Raises `ConfigError` for a pipeline that is not usable; and, `again`, for a package that cannot be told: those who have rules that
    run go on with them. When a detector starts, such a package is a fault beside the others' rules.
    """
    errors: list[RuleError] = []
    wanted = folders(settings, errors)
    if errors and again:
        raise ConfigError(str(errors[0]))
    with kept(settings) as cache:
        loaded = load_folders(wanted, cache=cache, progress=progress)
        instead = _broken(loaded, before)
        if instead:
            mended = load_folders([replace(one, instead=_inside(one, instead)) for one in wanted], cache=cache)
            loaded = RuleSet(mended.rules, tuple(_told(loaded, mended, instead)))
    loaded = RuleSet(loaded.rules, (*errors, *_once(loaded.errors)))
    docs = tuple(_docs(loaded, manifest.packages(rules_dir(settings.data_dir), []), rules_dir(settings.data_dir)))
    return Chosen(loaded, docs, _hash(loaded, wanted))


def _broken(loaded: RuleSet, before: Sequence[RuleDoc]) -> dict[str, str]:
    """Path -> text of the files that have a fault now and gave something before that is missing: a rule, or what narrows one."""
    faulty = {error.path for error in loaded.errors if error.path}
    if not faulty or not before:
        return {}
    narrowed = {rule.id: {one.id for one in rule.filters} for rule in loaded.rules}
    texts: dict[str, dict[str, None]] = {}
    missing: set[str] = set()
    for doc in before:
        texts.setdefault(doc.path, {})[doc.own_text] = None
        if doc.id not in narrowed:
            missing.add(doc.path)
        for one in doc.filters:  # of a rule that is missing itself, too: it may come back with its file
            texts.setdefault(one.path, {})[one.text] = None
            if one.id not in narrowed.get(doc.id, ()):
                missing.add(one.path)
    return {path: joined(*texts[path]) for path in texts if path in missing and _concerned(path, faulty)}


def _concerned(path: str, faulty: AbstractSet[str]) -> bool:
    """Whether the file, or a folder around it, has a fault."""
    return path in faulty or not faulty.isdisjoint(map(str, Path(path).parents))


def _inside(folder: Folder, instead: Mapping[str, str]) -> dict[str, str]:
    return {path: text for path, text in instead.items() if Path(path).is_relative_to(folder.path)}


def _told(loaded: RuleSet, mended: RuleSet, instead: Mapping[str, str]) -> Iterator[RuleError]:
    """The faults of files as they are; where a file goes on as it was, it says so, unless it has the fault even then."""
    folders = {str(parent) for path in instead for parent in Path(path).parents}
    still = {(error.path, error.reason) for error in mended.errors}
    told = set()
    for error in loaded.errors:
        if error.path in instead and (error.path, error.reason) in still:
            told.add((error.path, error.reason))
            yield error
        elif error.path in instead or error.path in folders:
            yield RuleError(KEPT + error.reason, error.path, error.line, error.column)
    yield from (error for error in mended.errors if (error.path, error.reason) not in told)


def _once(errors: Iterable[RuleError]) -> Iterator[RuleError]:
    """A folder that is away is away in both loads."""
    said: set[tuple[str | None, int | None, str]] = set()
    for error in errors:
        key = error.path, error.line, error.reason.removeprefix(KEPT)
        if key not in said:
            said.add(key)
            yield error


def _docs(loaded: RuleSet, imported: Sequence[manifest.Package], place: Path) -> Iterator[RuleDoc]:
    packages = {f"{one.folder(place)}/": one for one in imported}
    by_id = {rule.id: rule for rule in loaded.rules}
    for rule in loaded.rules:
        doc = doc_of(rule, by_id)
        package = next((one for start, one in packages.items() if rule.path.startswith(start)), None)
        if package is not None:  # a licence of its own counts for more
            doc = replace(doc, package=package.name, license=doc.license or package.current.licence)
        yield doc


def _hash(loaded: RuleSet, wanted: Sequence[Folder]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    prints = {tuple(map(str, one.pipelines)): fingerprint(one.pipelines) for one in wanted}
    for rule in sorted(loaded.rules, key=lambda rule: rule.id):
        paths = "\0".join((rule.path, *(one.path for one in rule.filters)))
        part = f"{rule.id}\0{paths}\0{rule.hash}\0{prints.get(rule.pipelines, '')}\0{rule.silent}\n"
        digest.update(part.encode(errors="surrogatepass"))
    return digest.hexdigest()


def stamps(settings: Settings) -> frozenset[Stamp]:
    """Changes whenever a file of the rules, of a package or of a pipeline is written, comes or goes. Reads no file but manifests."""
    unread: list[RuleError] = []
    wanted = folders(settings, unread)
    found = {(str(error), 0, -1) for error in unread}
    for folder in wanted:
        found.update(stamps_of(folder.path))
    for place in manifest.places(rules_dir(settings.data_dir), []):
        found.update(stamps_of(place / manifest.MANIFEST))
    for pipelines in {tuple(map(str, one.pipelines)) for one in wanted}:
        try:
            found.add((fingerprint(pipelines), 0, 0))
        except ConfigError as error:
            found.add((str(error), 0, 0))
    return frozenset(found)
