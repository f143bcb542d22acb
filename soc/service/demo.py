"""The demonstration: a simulated province whose sources are enrolled like any other."""

from __future__ import annotations

from pathlib import Path

from soc.errors import NotFound
from soc.model.org import EVERYTHING
from soc.model.source import Source, Transport
from soc.service.process import now_ms
from soc.service.stores import open_stores
from soc.settings import Settings
from soc.simulator import FILES

DEMO_ORG = "demo-province"


def enrol_demo(settings: Settings) -> Path:
    """Enrol the simulated province's sources, once; returns the folder that its simulator writes its logs to."""
    sources = open_stores(settings).sources
    logs = settings.data_dir / "demo"
    streams = {
        stream: (Transport.FILE, (str(logs / name),)) for stream, name in FILES.items() if stream != "linux.auth"
    }
    streams["syslog"] = (Transport.SYSLOG, (settings.collect.syslog_host,))
    for stream, (transport, where) in streams.items():
        id_ = f"demo-{stream.replace('.', '-')}"
        try:
            sources.get(id_, EVERYTHING)
        except NotFound:
            sources.add(
                Source(id_, f"Demo: {stream}", DEMO_ORG, stream, transport, where, created_at=now_ms()), None, by="demo"
            )
    return logs
