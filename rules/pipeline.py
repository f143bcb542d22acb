"""Processing pipelines of Sigma: they rewrite rules before these are compiled."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Iterable, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

from soc.errors import ConfigError

if TYPE_CHECKING:
    from sigma.processing.pipeline import ProcessingPipeline

Reference = str | Path  # a file


def pipeline_of(references: Iterable[Reference]) -> ProcessingPipeline | None:
    """These pipelines as one, lowest priority number first. Raises ConfigError."""
    import yaml
    from sigma.processing.pipeline import ProcessingPipeline

    pipelines: list[ProcessingPipeline] = []
    for path in references:
        try:
            pipelines.append(ProcessingPipeline.from_yaml(_content(path).decode(), source_path=str(path)))
        except (ValueError, TypeError, AttributeError, yaml.YAMLError) as error:
            raise ConfigError(f"{path}: not a usable Sigma processing pipeline: {error}") from error
    ordered = sorted(pipelines, key=lambda pipeline: int(pipeline.priority))
    return reduce(operator.add, ordered) if ordered else None


def fingerprint(references: Sequence[Reference]) -> str:
    """Changes whenever what these pipelines do may have changed; empty without any. Raises ConfigError for a file that cannot be read."""
    if not references:
        return ""
    digest = hashlib.blake2b(digest_size=12)
    for part in map(_content, references):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _content(path: Reference) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: not a usable Sigma processing pipeline: {error.strerror}") from None
