#!/usr/bin/env python3
"""Starts an Elasticsearch on this machine, runs a command on it and stops it again. For demonstrations; tests use `cluster`.

    server.py [--keep NAME]   [--heap 1g] [--port 9200] COMMAND...    $SOC_STORE__URL tells the command where it is
    server.py --where                                                 the folder that it is installed in

`deploy/elasticsearch/install` puts it there. Standard library only.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run as a program: look for modules in the project, not in the folder of this file
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from deploy.elasticsearch.cluster import Cluster
from deploy.elasticsearch.place import VERSION, StartError, servers_folder


def _run(command: Sequence[str], url: str) -> int:
    """Run it to its end; when we are told to stop, so is the command, before the server goes."""
    process = subprocess.Popen(command, env=os.environ | {"SOC_STORE__URL": url})
    try:
        return process.wait()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Run a command on an Elasticsearch that is started for it.")
    parser.add_argument("--where", action="store_true", help="print the folder that servers are installed in")
    parser.add_argument("--keep", metavar="NAME", help="keep its data under this name; forgotten by default")
    parser.add_argument("--heap", default="1g")
    parser.add_argument("--port", type=int)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    chosen = parser.parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        if chosen.where:
            print(servers_folder())
            return 0
        folder = servers_folder() / chosen.keep if chosen.keep else None
        return _serve(Cluster(folder, heap=chosen.heap, port=chosen.port), chosen.command or ["sleep", "infinity"])
    except StartError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def _serve(cluster: Cluster, command: Sequence[str]) -> int:
    try:
        cluster.start()
        print(f"Elasticsearch {VERSION} answers at {cluster.url}", file=sys.stderr, flush=True)
        return _run(command, cluster.url)
    finally:
        cluster.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
