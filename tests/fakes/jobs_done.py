"""Waiting for the process of a backtest."""

from __future__ import annotations

import time


def wait(client, path: str, job_id: str, state: str = "done") -> dict:
    """What the API says of the job at this path, once it runs no more; fails where it is in another state then."""
    for _ in range(2500):
        report = client.get(f"{path}/{job_id}").json()
        if report["state"] != "running":
            assert report["state"] == state, report
            return report
        time.sleep(0.1)
    raise AssertionError("it runs for minutes")
