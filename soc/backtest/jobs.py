"""Backtests of rules and of series that the console asks for: each a process of its own at a low priority, so that nobody who triages
waits for one.

    data/backtests/jobs/<id>/   job.json        what was asked for, by whom, of which organisations
                                rule.yml        the text of a new or changed rule; of series, series.yml
                                progress.json   how far it has come           written by the process
                                outcomes.json   what came of it, once it has ended well
                                said.txt        what it said, else

What is on disk tells the state; a job that was stopped, by whatever, goes on where it was when it is asked for again.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

from soc.errors import Busy, ConfigError, NotFound
from soc.model.asked import Bounds
from soc.model.org import EVERYTHING, Scope
from soc.whole import write_whole

_KEPT, _KEPT_IN_ALL = 50, 300  # of the same kind and organisations; beyond all, those go that have most
_NICE = 10
MOST_MINUTES = 30  # of one of series: what was found until then is what came of it
_STOP_S = 5.0
_SAID_CHARS = 2000


def jobs_dir(data_dir: Path) -> Path:
    return data_dir / "backtests" / "jobs"


def new_id() -> str:
    return secrets.token_hex(12)


class Kind(StrEnum):
    RULE = "rule"
    SERIES = "series"


class JobState(StrEnum):
    RUNNING = "running"
    STOPPED = "stopped"  # may be asked for again
    FAILED = "failed"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Job:
    """`orgs` None: of all organisations. Of one that we run, exactly one of `rule_id` and `text` is there; of series it is the text, and
    `about` names them. `at`: ms since 1970, when it was asked for. `threshold`, `timespan_s`: what the rule was to ask for, where that is
    not what holds."""

    id: str
    by: str
    at: int
    orgs: tuple[str, ...] | None
    days: int
    rule_id: str | None = None
    text: str | None = None
    threshold: float | None = None
    timespan_s: int | None = None
    kind: Kind = Kind.RULE
    about: str = ""

    @property
    def as_it_is(self) -> bool:
        """The rule was asked for what holds."""
        return self.threshold is None and self.timespan_s is None

    def visible(self, scope: Scope) -> bool:
        """Who may not see all that went into it does not see what came of it."""
        if self.orgs is None:
            return scope.orgs is None
        return all(scope.allows(org) for org in self.orgs)


@dataclass(frozen=True, slots=True)
class Report:
    """`done` of `total`; `events` examined since it was last started; `outcomes` as `soc rules backtest --json` gives them."""

    job: Job
    state: JobState
    done: int = 0
    total: int = 0
    events: int = 0
    outcomes: Sequence[Mapping[str, Any]] = ()
    reason: str = ""


class Jobs:
    """`command`: `soc`, with what it needs to find the settings; `environment` is added to ours."""

    def __init__(self, folder: Path, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._command = command
        self._environment = environment
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()

    def start(
        self,
        scope: Scope,
        *,
        by: str,
        at: int,
        days: int,
        rule_id: str | None = None,
        text: str | None = None,
        bounds: Bounds | None = None,
        kind: Kind = Kind.RULE,
        about: str = "",
    ) -> Job:
        """Raises `Busy` while another one runs, of whatever kind, and `ConfigError` where there is nothing to see."""
        if scope.orgs is not None and not scope.orgs:
            raise ConfigError("who sees no organisation has nothing to try it on")
        orgs = None if scope.orgs is None else tuple(sorted(scope.orgs))
        asked = bounds or Bounds()
        job = Job(new_id(), by, at, orgs, days, rule_id, text, asked.threshold, asked.timespan_s, kind, about)
        with self._lock:
            self._check_room()
            self._keep(job)
            self._run(job)
            self._forget_oldest()
        return job

    def ended(self, job: Job, outcomes: Sequence[Mapping[str, Any]]) -> None:
        """Keep one that was run elsewhere, and what came of it."""
        with self._lock:
            self._keep(job, outcomes)
            self._forget_oldest()

    def resume(self, job_id: str, scope: Scope, kind: Kind = Kind.RULE) -> None:
        """Raises `NotFound`, and `Busy` while another one runs."""
        report = self.get(job_id, scope, kind)
        if report.state in (JobState.STOPPED, JobState.FAILED):
            with self._lock:
                self._check_room()
                self._run(report.job)

    def stop(self, job_id: str, scope: Scope, kind: Kind = Kind.RULE) -> None:
        """What it has done is kept. Raises `NotFound`."""
        self.get(job_id, scope, kind)
        with self._lock:
            if process := self._processes.get(job_id):
                _end(process)

    def get(self, job_id: str, scope: Scope, kind: Kind = Kind.RULE) -> Report:
        """Raises `NotFound`, also where not all that went into it is in the scope."""
        job = self._read(job_id)
        if job is None or job.kind is not kind or not job.visible(scope):
            raise NotFound(f"there is no backtest {job_id}")
        return self._report(job)

    def reports(self, scope: Scope, kind: Kind = Kind.RULE) -> list[Report]:
        """Newest first, without what came of them."""
        return [self._report(job, whole=False) for job in self.recent(scope, kind)]

    def _report(self, job: Job, *, whole: bool = True) -> Report:
        """`whole`: with what came of it."""
        place = self._folder / job.id
        progress = _json(place / "progress.json") or {}
        if not whole and (place / "outcomes.json").exists():
            return Report(job, JobState.DONE, **progress)
        if (outcomes := _json(place / "outcomes.json")) is not None:
            return Report(job, JobState.DONE, outcomes=outcomes, **progress)
        process = self._processes.get(job.id)
        code = process.poll() if process else None
        if process and code is None:
            return Report(job, JobState.RUNNING, **progress)
        if code is not None and code > 0:
            return Report(job, JobState.FAILED, reason=_last_line(place / "said.txt"), **progress)
        return Report(job, JobState.STOPPED, **progress)

    def recent(self, scope: Scope, kind: Kind = Kind.RULE) -> list[Job]:
        """Newest first."""
        jobs = (self._read(place.name) for place in self._places())
        return [job for job in jobs if job and job.kind is kind and job.visible(scope)]

    def latest(self, made_of: Sequence[str]) -> tuple[Job, Mapping[str, Any]] | None:
        """The last one of all organisations that has an outcome of this very rule, and that outcome.

        `made_of`: as in an outcome.
        """
        for job in sorted(self.recent(EVERYTHING), key=lambda job: job.at, reverse=True):
            for outcome in self._report(job).outcomes if job.orgs is None and job.as_it_is else ():
                if outcome.get("made_of") == list(made_of):
                    return job, outcome
        return None

    def close(self) -> None:
        with self._lock:
            for process in self._processes.values():
                _end(process)

    def _keep(self, job: Job, outcomes: Sequence[Mapping[str, Any]] | None = None) -> None:
        """The job last: what is cut short before it is no job at all."""
        place = self._folder / job.id
        place.mkdir(parents=True)
        if outcomes is not None:
            write_whole(place / "outcomes.json", orjson.dumps(outcomes))
        write_whole(place / "job.json", orjson.dumps(asdict(job)))

    def _check_room(self) -> None:
        if any(process.poll() is None for process in self._processes.values()):
            raise Busy("another backtest is running: wait for it, or stop it", retry_after_s=10)

    def _run(self, job: Job) -> None:
        place = self._folder / job.id
        wanted = _wanted(job, place)
        wanted += [part for org in job.orgs or () for part in ("--org", org)]
        with (place / "said.txt").open("wb") as said:
            self._processes[job.id] = subprocess.Popen(  # noqa: S603 - our own arguments, each checked by who calls
                [*self._command, *wanted, "--days", str(job.days), "--report-to", str(place)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                env=os.environ | self._environment,
                preexec_fn=_politely,
            )

    def _read(self, job_id: str) -> Job | None:
        if not job_id.isalnum() or (known := _json(self._folder / job_id / "job.json")) is None:
            return None
        orgs = known["orgs"]
        kind = Kind(known.get("kind", Kind.RULE))
        return Job(**known | {"orgs": None if orgs is None else tuple(orgs), "kind": kind})

    def _places(self) -> list[Path]:
        """Newest first. Another thread or process may forget one meanwhile."""
        found = []
        for place in self._folder.glob("*"):
            with suppress(FileNotFoundError):
                found.append((place.stat().st_mtime, place))
        return [place for _, place in sorted(found, reverse=True)]

    def _forget_oldest(self) -> None:
        kept: dict[tuple[Kind, tuple[str, ...] | None], list[Path]] = {}
        for place in self._places():
            job = self._read(place.name)
            kept.setdefault((job.kind, job.orgs) if job else (Kind.RULE, ()), []).append(place)
        for places in kept.values():
            while len(places) > _KEPT:
                shutil.rmtree(places.pop(), ignore_errors=True)
        while sum(map(len, kept.values())) > _KEPT_IN_ALL:
            shutil.rmtree(max(kept.values(), key=len).pop(), ignore_errors=True)


def _wanted(job: Job, folder: Path) -> list[str]:
    """The command, and what it is to try."""
    if job.text is not None:
        (folder / f"{job.kind}.yml").write_text(job.text, encoding="utf-8")
    if job.kind is Kind.SERIES:
        return ["detector", "backtest", "--series", str(folder), f"--minutes={MOST_MINUTES}"]
    wanted = ["rules", "backtest"]
    wanted += ["--rule", job.rule_id] if job.rule_id is not None else [str(folder / f"{job.kind}.yml")]
    if job.threshold is not None:
        wanted.append(f"--threshold={job.threshold}")
    if job.timespan_s is not None:
        wanted.append(f"--window={job.timespan_s}s")
    return wanted


def _politely() -> None:
    os.nice(_NICE)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _json(path: Path) -> Any:
    """None while it is not there."""
    try:
        return orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def _last_line(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1][:_SAID_CHARS].removeprefix("soc: ") if lines else ""
