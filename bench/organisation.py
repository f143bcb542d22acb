"""An organisation for measuring `soc entities`: roles, habits, weekends, what is odd and harmless, and attacks whose events are marked.

Nothing here is known to the detector, and nothing of the detector is known here.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

DAY_S = 86_400
BEGIN_S = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp())  # a Monday
ROLES = ("clerk", "clerk", "clerk", "officer", "officer", "finance", "it", "head")
ACTIONS = ("logon", "read", "write", "query", "print", "send")
PROCESSES = "winword excel chrome outlook acrobat explorer teams unikey zalo notepad".split()
IT_PROCESSES = "powershell mmc putty mstsc procmon".split()
TOOLS = "mimikatz psexec rclone nmap certutil bloodhound ngrok winrar7 adfind procdump wmiexec chisel".split()

Event = dict[str, object]


@dataclass
class Phase:
    """One phase of an attack: what the detector should point at. `feature`: parts of the names of the features injected."""

    kind: str
    day: int
    entities: dict[str, set[str]] = field(default_factory=dict)  # field -> values
    buckets: set[int] = field(default_factory=set)
    first_s: float = 0.0
    feature: tuple[str, ...] = ()


@dataclass
class Person:
    name: str
    role: str
    host: str
    ip: str
    rate: float  # acts an hour
    begin: float  # hour of the day
    end: float
    servers: list[str]
    processes: list[str]
    actions: list[float]
    diligence: float  # of going to work at a weekend


class Organisation:
    """`people` and their servers for `days` days; attacks on `attack_days`. Events come out in order of time."""

    def __init__(self, seed: int, people: int = 120, days: int = 16, attack_days: int = 4) -> None:
        self.random = random.Random(seed)
        self.days = days
        self.servers = [f"10.9.0.{at}" for at in range(1, 26)]
        self.shared = self.servers[:4]
        self.people = [self._person(at) for at in range(people)]
        self.jobs = [f"svc-{name}" for name in ("backup", "scan", "sync", "mon", "sql", "web")]
        late = list(range(5, days))
        self.attack_days = sorted(self.random.sample(late, attack_days))
        self.phases: list[Phase] = []
        self.events: list[tuple[float, Event, int]] = []  # time, event, phase or -1

    def _person(self, at: int) -> Person:
        r = self.random
        role = ROLES[at % len(ROLES)]
        own = 8 if role == "it" else 3
        begin = r.gauss(7.6, 0.5)
        return Person(
            f"u{at:03d}",
            role,
            f"ws-{at:03d}",
            f"10.1.{at // 200}.{at % 200 + 1}",
            {"it": 24, "finance": 14, "officer": 18}.get(role, 9) * r.lognormvariate(0, 0.5),
            begin,
            begin + r.gauss(9, 0.6),
            self.shared + r.sample(self.servers[4:], own),
            r.sample(PROCESSES, 6) + (IT_PROCESSES if role == "it" else []),
            [r.random() ** 2 + 0.02 for _ in ACTIONS],
            0.25 if role == "it" else 0.04 if r.random() < 0.8 else 0.3,
        )

    def run(self) -> list[tuple[float, Event, int]]:
        for day in range(self.days):
            weekend = day % 7 >= 5
            for person in self.people:
                if (not weekend or self.random.random() < person.diligence) and (
                    weekend or self.random.random() < 0.95
                ):
                    self._workday(person, day, weekend)
            self._jobs(day)
            self._odd(day, weekend)
            if day in self.attack_days:
                self._attack(day)
        self.events.sort(key=lambda row: row[0])
        return self.events

    def add(self, at: float, who: Person | str, phase: int = -1, **more: object) -> None:
        name, host, ip = (who.name, who.host, who.ip) if isinstance(who, Person) else (who, "srv-jobs", "10.9.1.1")
        event: Event = {
            "@timestamp": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds"),
            "user.id": name,
            "host.name": host,
            "source.ip": ip,
            "event.outcome": "success",
        }
        event.update({key.replace("__", "."): value for key, value in more.items()})
        self.events.append((at, event, phase))
        if phase >= 0:
            known = self.phases[phase]
            known.first_s = min(known.first_s or at, at)
            known.buckets.add(int(at // 900))
            for kind in ("user.id", "host.name", "source.ip"):
                known.entities.setdefault(kind, set()).add(str(event[kind]))

    def _act(self, at: float, person: Person, phase: int = -1, **more: object) -> None:
        r = self.random
        action = r.choices(ACTIONS, person.actions)[0]
        event: dict[str, object] = {"event__action": action}
        if action in ("logon", "query", "send"):
            event["destination__ip"] = r.choices(person.servers, [1 / (i + 1) for i in range(len(person.servers))])[0]
            event["destination__port"] = r.choice((443, 443, 445, 389))
            if action == "logon" and r.random() < 0.04:
                event["event__outcome"] = "failure"
        else:
            event["process__name"] = r.choices(person.processes, [1 / (i + 1) for i in range(len(person.processes))])[0]
            if action == "read":
                event["govsoc__lgsp__subject"] = f"c{r.randrange(200_000):06d}"
        event.update(more)
        self.add(at, person, phase, **event)

    def _workday(self, person: Person, day: int, weekend: bool) -> None:
        r = self.random
        start = BEGIN_S + day * DAY_S - 7 * 3600 + 7 * 3600  # the clock is local already
        begin, end = person.begin + r.gauss(0, 0.25), person.end + r.gauss(0, 0.5)
        if weekend:
            begin, end = begin + 1, begin + 1 + r.uniform(1, 4)
        mood, at = r.lognormvariate(0, 0.3), begin
        while (at := at + r.expovariate(person.rate * mood)) < end:
            if not 11.7 < at < 13 or r.random() < 0.2:
                burst = 1 + int(r.expovariate(1.2))
                for step in range(burst):
                    self._act(start + at * 3600 + step * r.uniform(1, 20), person)

    def _jobs(self, day: int) -> None:
        r = self.random
        for at, job in enumerate(self.jobs):
            for hour in range(24):
                for _ in range(r.randrange(3, 7) * (4 if hour == at else 1)):
                    self.add(
                        BEGIN_S + day * DAY_S + (hour + r.random()) * 3600,
                        job,
                        event__action="query",
                        destination__ip=self.servers[(at * 3 + r.randrange(3)) % 25],
                        destination__port=1433,
                    )

    def _odd(self, day: int, weekend: bool) -> None:
        """What happens in every organisation and is no attack."""
        r, start = self.random, BEGIN_S + day * DAY_S
        if weekend:
            return
        if r.random() < 0.4:  # a password was forgotten
            person, at = r.choice(self.people), start + r.uniform(8, 16) * 3600
            for step in range(r.randrange(3, 9)):
                self._act(
                    at + step * 12,
                    person,
                    event__action="logon",
                    event__outcome="failure",
                    destination__ip=person.servers[0],
                )
        if r.random() < 0.5:  # somebody gets a new task: a server that others know
            person = r.choice(self.people)
            person.servers = [*person.servers, r.choice(self.servers)]
        if r.random() < 0.15:  # new software for many
            name = f"app{day}"
            for person in r.sample(self.people, len(self.people) // 3):
                person.processes = [*person.processes, name]
        if r.random() < 0.3:  # somebody installs something
            person = r.choice(self.people)
            self._act(
                start + r.uniform(9, 16) * 3600,
                person,
                event__action="write",
                process__name=f"setup{r.randrange(10_000)}",
            )
        if r.random() < 0.3:  # somebody works late
            person = r.choice(self.people)
            for _ in range(r.randrange(5, 40)):
                self._act(start + r.uniform(18, 22) * 3600, person)
        if r.random() < 0.25:  # a busy afternoon
            person, at = r.choice(self.people), start + r.uniform(13, 15) * 3600
            for _ in range(r.randrange(40, 120)):
                self._act(at + r.uniform(0, 5400), person)

    def _attack(self, day: int) -> None:
        """One intruder, four to seven phases of it, an hour or so apart."""
        r = self.random
        victims = r.sample([person for person in self.people if person.role != "it"], 3)
        at = BEGIN_S + day * DAY_S + r.uniform(7.5, 11) * 3600
        for kind in r.sample(list(PHASES), r.randrange(4, 8)):
            self.phases.append(Phase(kind, day, feature=PHASES[kind][1]))
            begin = at if kind != "off-hours" else BEGIN_S + day * DAY_S + r.uniform(1, 4) * 3600
            PHASES[kind][0](self, begin, r.choice(victims), len(self.phases) - 1)
            at += r.uniform(0.3, 2) * 3600

    def scanning(self, at: float, person: Person, phase: int) -> None:
        for step in range(self.random.randrange(40, 200)):
            self.add(
                at + step * 3,
                person,
                phase,
                event__action="query",
                destination__ip=f"10.9.{step % 4}.{self.random.randrange(255)}",
                destination__port=self.random.choice((22, 80, 445, 3389)),
                event__outcome=self.random.choice(("failure", "success")),
            )

    def guessing(self, at: float, person: Person, phase: int) -> None:
        for step in range(self.random.randrange(15, 80)):
            self.add(
                at + step * 6,
                person,
                phase,
                event__action="logon",
                event__outcome="failure",
                destination__ip=person.servers[0],
                destination__port=389,
            )

    def lateral(self, at: float, person: Person, phase: int) -> None:
        new = [server for server in self.servers if server not in person.servers]
        for server in self.random.sample(new, min(len(new), self.random.randrange(2, 6))):
            for _ in range(self.random.randrange(1, 4)):
                self.add(
                    at + self.random.uniform(0, 1500),
                    person,
                    phase,
                    event__action="logon",
                    destination__ip=server,
                    destination__port=3389,
                )

    def tool(self, at: float, person: Person, phase: int) -> None:
        for step in range(self.random.randrange(1, 4)):
            self.add(at + step * 200, person, phase, event__action="write", process__name=self.random.choice(TOOLS))

    def reads(self, at: float, person: Person, phase: int) -> None:
        many = max(60, int(person.rate * self.random.uniform(6, 12)))
        for _ in range(many):
            self._act(
                at + self.random.uniform(0, 3600),
                person,
                phase,
                event__action="read",
                govsoc__lgsp__subject=f"c{self.random.randrange(200_000):06d}",
            )

    def off_hours(self, at: float, person: Person, phase: int) -> None:
        for _ in range(self.random.randrange(6, 20)):
            self._act(at + self.random.uniform(0, 1500), person, phase)

    def exfiltration(self, at: float, person: Person, phase: int) -> None:
        for step in range(self.random.randrange(5, 40)):
            self.add(
                at + step * 40,
                person,
                phase,
                event__action="send",
                destination__ip=f"45.{self.random.randrange(9)}.7.{phase}",
                destination__port=443,
            )


PHASES: dict[str, tuple[Callable[[Organisation, float, Person, int], None], tuple[str, ...]]] = {
    "scanning": (Organisation.scanning, ("destination", "outcome", "action=query", "events")),
    "guessing": (Organisation.guessing, ("outcome", "action=logon", "destination.ip=", "port", "events")),
    "lateral": (Organisation.lateral, ("destination", "action=logon")),
    "tool": (Organisation.tool, ("process.name",)),
    "reads": (Organisation.reads, ("subject", "action=read", "events")),
    "off-hours": (Organisation.off_hours, ("hour",)),
    "exfiltration": (Organisation.exfiltration, ("destination", "action=send")),
}
