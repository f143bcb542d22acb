"""Probes as the collector makes them: from its settings to an event on disk."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest
from readers import MemoryCheckpoints, Sink, run_reader, wait_for

from collector.keys import KeyRing
from soc.errors import ConfigError
from soc.model.source import Source, Transport
from soc.service.collector import make_reader, probing, to_events
from soc.settings import Collect, Settings


def settings(tmp_path, **collect) -> Settings:
    return Settings(data_dir=tmp_path, collect=Collect(**collect))


def test_from_the_settings_to_an_event(tmp_path):
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        target = f"tcp://127.0.0.1:{listening.getsockname()[1]}"
        source = Source("p", "p", "H42", "probe.check", Transport.PROBE, (target, "dns://localhost"))
        notes, sink = MemoryCheckpoints(), Sink()
        reader = make_reader(settings(tmp_path, probe_networks=["127.0.0.0/8"]), notes, source)
        with run_reader(reader.run, sink):
            sink.wait(2)
    fields = {
        event.event.fields["govsoc.probe.target"]: event.event
        for event in to_events(KeyRing(tmp_path), source, sink.records)
    }
    assert fields.keys() == {target, "dns://localhost"}
    assert all(event.fields["event.outcome"] == "success" and not event.dead for event in fields.values())
    assert fields[target].fields["destination.ip"] == "127.0.0.1"


def test_without_the_setting_none_is_made_and_it_says_so(tmp_path):
    source = Source("p", "p", "H42", "probe.check", Transport.PROBE, ("dns://localhost",))
    sink = Sink()
    reader = make_reader(settings(tmp_path), MemoryCheckpoints(), source)
    with run_reader(reader.run, sink):
        wait_for(lambda: reader.problem)
    assert reader.problem == "collect.probe_networks is empty: no probe is made"
    assert sink.records == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"probe_networks": ["10.1.2.3/24"]}, "collect.probe_networks: .* write for example"),
        ({"probe_ca_file": "/nowhere.pem"}, "collect.probe_ca_file: /nowhere.pem cannot be used: No such file"),
    ],
)
def test_settings_that_cannot_be_meant(tmp_path, wrong, said):
    with pytest.raises(ConfigError, match=said):
        probing(settings(tmp_path, **wrong))
