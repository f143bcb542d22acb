from __future__ import annotations

import pytest

from soc.origin import from_this_machine, is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost"])
def test_this_machine_by_any_of_its_names(host):
    assert is_loopback(host)
    assert from_this_machine(host, ())


@pytest.mark.parametrize("host", ["198.51.100.1", "10.0.0.1", "0.0.0.0", "127.0.0.1.example.vn", "unknown", "x", ""])
def test_another_machine(host):
    assert not is_loopback(host)
    assert not from_this_machine(host, ())


def test_who_is_not_known_is_elsewhere():
    assert not from_this_machine(None, ())


@pytest.mark.parametrize("header", ["forwarded", "x-forwarded-for", "x-real-ip"])
def test_what_a_proxy_on_this_machine_passed_on_is_from_elsewhere(header):
    assert not from_this_machine("127.0.0.1", {header: ""})
