"""Changes of sources and accounts on a real server: none without its entry in the audit, whatever dies in between."""

from __future__ import annotations

from dataclasses import replace

import pytest
from mortal import Killed, mortal

from soc.errors import Conflict, NotFound
from soc.model.account import Account, Role
from soc.model.org import EVERYTHING
from soc.model.source import Source, Transport
from soc.store.base import Stores
from soc.store.elastic.admin import setup
from soc.store.elastic.client import connect
from soc.store.elastic.open import open_stores

pytestmark = pytest.mark.server

PORTAL = Source("portal", "Portal", "H29", "nginx.access", Transport.FILE, ("/var/log/*.log",))
OTP = Source("otp", "OTP", "H29.01", "otp.gateway", Transport.PUSH)
LAN = Account("lan", Role.ANALYST, EVERYTHING)
CHANGES = {
    "source.add": lambda stores: stores.sources.add(OTP, "token", by="mai"),
    "source.disable": lambda stores: stores.sources.set_enabled("portal", False, by="mai"),
    "account.put": lambda stores: stores.accounts.put(replace(LAN, role=Role.VIEWER), "new", by="mai"),
    "key.add": lambda stores: stores.accounts.add_key("lan", "new-key", "api", by="mai"),
    "key.drop": lambda stores: stores.accounts.drop_keys("lan", by="mai"),
}


@pytest.fixture
def stores(elastic):
    with connect(elastic.url) as client:
        setup.install(client)
        stores = open_stores(client)
        stores.sources.add(PORTAL, None, by="setup")
        stores.accounts.put(LAN, "old", by="setup")
        stores.accounts.add_key("lan", "old-key", "api", by="setup")
        yield stores


def known(stores: Stores) -> object:
    accounts = stores.accounts
    keys = [accounts.by_key(key) for key in ("old-key", "new-key")]
    return stores.sources.list(EVERYTHING), accounts.list(), accounts.password_hash("lan"), keys


def entries(stores: Stores) -> list[str]:
    return [entry.action for entry in stores.audit.list(limit=100).items if entry.by == "mai"]


@pytest.mark.parametrize("answered", [False, True], ids=["before the server has it", "after the server has done it"])
@pytest.mark.parametrize("action", CHANGES)
def test_a_change_has_its_entry_wherever_the_process_dies(elastic, stores, action, answered):
    before, alone, deaths = known(stores), 0, 0
    while True:
        dying = mortal(elastic.url, deaths + 1, answered)
        try:
            CHANGES[action](open_stores(dying))
            break  # it got through before its time
        except Killed:
            deaths += 1
        finally:
            dying.close()
        changed, said = known(stores) != before, entries(stores)
        assert said or not changed
        assert set(said) <= {action}
        alone += bool(said) and not changed
        if changed:
            break
    assert alone, "the entry was there before the change"
    if known(stores) == before:
        CHANGES[action](stores)
    assert known(stores) != before


def test_what_is_refused_at_once_leaves_no_entry(stores):
    with pytest.raises(Conflict):
        stores.sources.add(replace(PORTAL, org="H42"), None, by="mai")
    with pytest.raises(Conflict):
        stores.sources.add(replace(OTP, org="h29"), None, by="mai")
    with pytest.raises(NotFound):
        stores.sources.set_enabled("nothing", True, by="mai")
    with pytest.raises(NotFound):
        stores.accounts.add_key("nobody", "new-key", "api", by="mai")
    assert entries(stores) == []
