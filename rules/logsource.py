"""Which rules look at which events: a rule is left out only where its log source and the event's contradict each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from soc.model.event import Value
from soc.model.rule import LogSource


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an event comes from, in Sigma's words; None where it is not known. An event may be of several services."""

    product: str | None = None
    category: str | None = None
    services: frozenset[str] = frozenset()

    def admits(self, wanted: LogSource) -> bool:
        """Whether a rule for `wanted` applies: what both sides state must agree."""
        return (
            (wanted.product is None or self.product is None or wanted.product == self.product)
            and (wanted.category is None or self.category is None or wanted.category == self.category)
            and (wanted.service is None or not self.services or wanted.service in self.services)
        )


def _origin(product: str, service: str, category: str | None = None) -> Origin:
    return Origin(product, category, frozenset({service}))


DATASETS: Mapping[str, Origin] = {
    "nginx.access": _origin("nginx", "access", "webserver"),
    "apache.access": _origin("apache", "access", "webserver"),
    "nginx.error": _origin("nginx", "error"),
    "apache.error": _origin("apache", "error"),
    "linux.auth": _origin("linux", "auth"),
    "syslog": _origin("linux", "syslog"),
    "otp.gateway": _origin("otp", "gateway"),
    "lgsp.gateway": _origin("lgsp", "gateway"),
    "probe.check": _origin("probe", "check"),
}

# Programs that Sigma knows as services of their own, inside a dataset that is wider. OpenSSH 9.8 split sshd in two.
PROGRAMS: Mapping[str, Mapping[str, str]] = {"linux.auth": {"sshd": "sshd", "sshd-session": "sshd", "sudo": "sudo"}}

# The fields that an event names its own log source by.
OWN_FIELDS = ("product", "category", "service")

# The parts of an event that decide its origin: dataset, own product/category/service, program (only where it matters).
Route = tuple[Value, Value, Value, Value, Value]


def route(fields: Mapping[str, Value]) -> Route:
    """What `origin` needs, as a key to remember its answer by."""
    get = fields.get
    dataset = get("event.dataset")
    program = get("process.name") if dataset.__class__ is str and dataset in PROGRAMS else None
    return dataset, get("product"), get("category"), get("service"), program


def origins(dataset: str) -> list[Origin]:
    """Every origin that an event of a dataset may have as long as it has none of `OWN_FIELDS`."""
    programs = (None, *PROGRAMS.get(dataset, ()))
    return [origin((dataset, None, None, None, program)) for program in programs]


def _word(value: Value) -> str | None:
    return value.lower() if isinstance(value, str) and value else None


def origin(key: Route) -> Origin:
    """The origin of an event by its dataset; its own `product`, `category` and `service` win where present."""
    dataset, product, category, service, program = key
    known = DATASETS.get(dataset, Origin()) if isinstance(dataset, str) else Origin()
    services = known.services
    if isinstance(dataset, str) and (name := PROGRAMS.get(dataset, {}).get(_word(program) or "")):
        services |= {name}
    if own := _word(service):
        services = frozenset({own})
    return Origin(_word(product) or known.product, _word(category) or known.category, services)
