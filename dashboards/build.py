"""Writes dashboards/grafana/*.json from the boards: `python -m dashboards.build`; with `--check` it only says which are stale."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards import anomalies, engine, lgsp, national, onboarding, operations, otp, portal
from dashboards.board import Board, made
from dashboards.panel import Api, Search

FOLDER = Path(__file__).parent / "grafana"
BOARDS: tuple[Board, ...] = tuple(
    part.BOARD for part in (national, operations, otp, lgsp, portal, onboarding, engine, anomalies)
)


def written(board: Board) -> str:
    return JSONEncoder(sort_keys=True, indent=1, ensure_ascii=False).encode(made(board)) + "\n"


def table() -> str:
    """Which panels need Elasticsearch, and which page of the console is behind each."""
    lines = ["| dashboard | panel | from | page of the console |", "|---|---|---|---|"]
    for board in BOARDS:
        for panel in board.panels:
            source = {Search: "**Elasticsearch**", Api: "govsoc's API (Infinity)"}.get(
                type(panel.asks[0]), "Prometheus"
            )
            lines.append(f"| {board.title[1]} | {panel.title[1]} | {source} | `{panel.page}` |")
    return "\n".join(lines) + "\n"


def files() -> dict[Path, str]:
    """What is written, by path."""
    boards = {FOLDER / f"govsoc-{board.name}.json": written(board) for board in BOARDS}
    return {**boards, FOLDER / "panels.md": table()}


def main() -> int:
    stale = [path for path, text in files().items() if not path.exists() or path.read_text() != text]
    known = set(files())
    gone = [path for path in FOLDER.glob("*") if path not in known]
    if "--check" in sys.argv[1:]:
        for path in (*stale, *gone):
            print(f"{path} is stale: `make dashboards-json` writes it anew", file=sys.stderr)  # noqa: T201
        return 1 if stale or gone else 0
    FOLDER.mkdir(exist_ok=True)
    for path in gone:
        path.unlink()
    for path in stale:
        path.write_text(files()[path])
    print(json.dumps({"written": [path.name for path in stale], "removed": [path.name for path in gone]}))  # noqa: T201
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
