"""Where a webhook may not go, in every disguise."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from soc.errors import ConfigError
from soc.notify.address import choose, networks, public, resolve
from soc.notify.channel import Undelivered
from soc.notify.message import Message
from soc.notify.route import Channel, Route
from soc.notify.webhook import Webhooks

NOT_PUBLIC = """
    127.0.0.1 127.8.8.8 0.0.0.0 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 169.254.1.1 100.64.0.1 100.100.100.200
    224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255 192.0.2.1 198.51.100.1 203.0.113.1 198.18.0.1 192.0.0.8
    ::1 :: fe80::1 fc00::1 fd00:ec2::254 ff02::1 2001:db8::1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::ffff:10.0.0.1
    64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 2002:7f00:1:: 2002:a00:1::1 fe80::1%eth0 fec0::1
""".split()
MESSAGE = Message("id", "s", "t", "h", {})


def found(*addresses):
    return lambda host, port: list(addresses)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_what_is_not_on_the_internet_is_refused(address):
    assert not public(ip_address(address))
    with pytest.raises(Undelivered, match=r"not on the Internet.*notify\.allowed_networks") as refused:
        choose("chat.example.vn", 443, (), found(address), encrypted=True)
    assert not refused.value.again
    assert address not in str(refused.value), "nobody learns what a name inside means"


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "203.162.4.190", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"]
)
def test_what_is_on_the_internet_is_taken(address):
    assert choose("chat.example.vn", 443, (), found(address), encrypted=True) == str(ip_address(address))


def test_one_bad_address_among_good_ones_is_enough():
    with pytest.raises(Undelivered):
        choose("x.vn", 443, (), found("1.1.1.1", "127.0.0.1"), encrypted=True)


def test_an_administrator_may_allow_networks():
    allowed = networks(["10.1.0.0/16", "::1/128"])
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "::1"):
        assert choose("x", 80, allowed, found(address), encrypted=False)
    for address in ("10.2.0.1", "127.0.0.1"):
        with pytest.raises(Undelivered):
            choose("x", 80, allowed, found(address), encrypted=False)
    with pytest.raises(ConfigError, match="allowed_networks"):
        networks(["10.1.2.3/8"])


def test_alerts_do_not_cross_the_internet_unencrypted():
    with pytest.raises(Undelivered, match="https"):
        choose("x.vn", 80, (), found("1.1.1.1"), encrypted=False)


def test_a_name_without_address_may_have_one_later():
    def nothing(host, port):
        raise OSError(-2, "Name or service not known")

    for resolver in (nothing, found()):
        with pytest.raises(Undelivered, match="no address") as failure:
            choose("x.vn", 443, (), resolver, encrypted=True)
        assert failure.value.again


@pytest.mark.parametrize(
    "host", ["localhost", "127.1", "0x7f.1", "2130706433", "017700000001", "[::1]", "[::ffff:127.0.0.1]", "0"]
)
def test_loopback_by_any_name_is_refused_by_the_real_resolver_before_anything_is_sent(host):
    """Each of these reaches this machine with the system's resolver."""
    route = Route("r", "n", Channel.WEBHOOK, url=f"https://{host}:1/", secret="s")
    with Webhooks((), lambda: 0).open(route) as send, pytest.raises(Undelivered, match="not on the Internet"):
        send(MESSAGE)


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254"])
def test_a_public_name_that_means_an_address_inside_is_refused(address):
    route = Route("r", "n", Channel.WEBHOOK, url="https://innocent.example.vn/latest/meta-data", secret="s")
    webhooks = Webhooks((), lambda: 0, resolver=found(address))
    with webhooks.open(route) as send, pytest.raises(Undelivered, match="not on the Internet"):
        send(MESSAGE)


def test_the_name_is_looked_up_once_so_that_it_cannot_change_in_between(office):
    looked = []

    def resolver(host, port):
        looked.append(host)
        return ["127.0.0.1"] if len(looked) == 1 else ["169.254.169.254"]

    route = Route("r", "n", Channel.WEBHOOK, url=f"http://rebinding.example.vn:{office.hook.port}/", secret="s3cret")
    with Webhooks(office.allowed, office.clock, resolver=resolver).open(route) as send:
        assert send(MESSAGE) == "rebinding.example.vn answered 200"
    assert looked == ["rebinding.example.vn"]
    assert office.hook.headers[0]["Host"] == f"rebinding.example.vn:{office.hook.port}"


def test_the_real_resolver_knows_this_machine():
    assert "127.0.0.1" in resolve("localhost", 80) + resolve("127.0.0.1", 80)
