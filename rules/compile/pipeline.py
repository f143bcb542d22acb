"""Processing pipelines of Sigma by name: ours, in `rules/pipelines`; a file of your own; and pySigma's, where their packages are installed.

A pipeline rewrites rules before they are compiled: it gives fields the names that the events have, and placeholders their values.
Only `pipeline_of` and `offered` import pySigma, which takes a while; a name can be checked and fingerprinted without.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from soc.errors import ConfigError

if TYPE_CHECKING:
    from sigma.processing.pipeline import ProcessingPipeline

SHIPPED = Path(__file__).parents[1] / "pipelines"
HOW_TO_GET_MORE = "more come with `make setup-sigma`"

Reference = str | Path  # a file, or a name


def pipeline_of(references: Iterable[Reference]) -> ProcessingPipeline | None:
    """These pipelines as one, lowest priority number first. Raises ConfigError."""
    pipelines = [_built(reference) for reference in references]
    ordered = sorted(pipelines, key=lambda pipeline: int(pipeline.priority))
    return reduce(operator.add, ordered) if ordered else None


def fingerprint(references: Sequence[Reference]) -> str:
    """Changes whenever what these pipelines do may have changed; empty without any. Raises ConfigError for a file that cannot be read."""
    if not references:
        return ""
    digest = hashlib.blake2b(digest_size=12)
    for reference in references:
        files = [path] if (path := _file(reference)) is not None else list(_plugin_files())
        for part in (str(reference).encode() if path is None else b"", *map(_content, files)):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def offered() -> dict[str, str]:
    """Name -> where it comes from, of all that have a name."""
    own = {path.stem: "govsoc" for path in SHIPPED.glob("*.yml")}
    return dict(sorted((dict.fromkeys(_plugins(), "pySigma") | own).items()))


def split(names: str) -> list[str]:
    """As a setting names several: with commas between them."""
    return [name.strip() for name in names.split(",") if name.strip()]


def _file(reference: Reference) -> Path | None:
    """The file that is meant, be it there or not; None: a name of pySigma's."""
    if isinstance(reference, Path):
        return reference
    shipped = SHIPPED / f"{reference}.yml"
    if "/" not in reference and shipped.is_file():
        return shipped
    path = Path(reference)
    return path if path.suffix in (".yml", ".yaml") or "/" in reference or path.is_file() else None


def _built(reference: Reference) -> ProcessingPipeline:
    import yaml
    from sigma.processing.pipeline import ProcessingPipeline

    path = _file(reference)
    if path is None:
        return _plugin(str(reference))
    try:
        return ProcessingPipeline.from_yaml(path.read_text(encoding="utf-8"), source_path=str(path))
    except (OSError, ValueError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: not a usable Sigma processing pipeline: {error}") from error


def _plugin(name: str) -> ProcessingPipeline:
    found = _plugins().get(name.replace("-", "_"))
    if found is None:
        known = ", ".join(offered())
        raise ConfigError(f"no pipeline {name!r}: give a file, or one of {known} ({HOW_TO_GET_MORE})")
    try:
        return found()
    except Exception as error:  # whatever a package that we did not write stumbles over
        raise ConfigError(f"the pipeline {name!r} of pySigma cannot be used here: {error}") from error


def _plugins() -> dict[str, Callable[[], ProcessingPipeline]]:
    """pySigma's pipelines that are installed. It names some with dashes and some with underscores: both are understood."""
    from sigma.plugins import InstalledSigmaPlugins

    found = InstalledSigmaPlugins.autodiscover(include_backends=False, include_validators=False).pipelines
    return {name.replace("-", "_"): found[name] for name in found}


def _plugin_files() -> Iterator[Path]:
    """The code of every pipeline that is installed: which name comes from which file, only importing them would tell."""
    spec = find_spec("sigma.pipelines")
    for folder in sorted(spec.submodule_search_locations or ()) if spec else ():
        yield from sorted(Path(folder).rglob("*.py"))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: not a usable Sigma processing pipeline: {error.strerror}") from None
