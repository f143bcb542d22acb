from __future__ import annotations

from contextlib import ExitStack

import pytest

from api.throttle import SignIns
from soc.errors import Busy


def test_one_address_cannot_try_many_accounts():
    sign_ins = SignIns(per_account=5, per_address=3)
    for name in "abc":
        sign_ins.check(name, "192.0.2.1", 0)
        sign_ins.failed(name, "192.0.2.1", 0)
    with pytest.raises(Busy):
        sign_ins.check("d", "192.0.2.1", 0)
    sign_ins.check("d", "192.0.2.2", 0)


def test_few_may_wait_for_their_turn():
    sign_ins = SignIns()
    with ExitStack() as held:
        for _ in range(3):
            assert sign_ins._places.acquire(blocking=False)
            held.callback(sign_ins._places.release)
        with pytest.raises(Busy, match="at once"), sign_ins.turn():
            pass
    with sign_ins.turn():
        pass


def test_memory_is_bounded():
    sign_ins = SignIns(size=10)
    for i in range(1000):
        sign_ins.failed(f"name{i}", f"address{i}", i)
    assert len(sign_ins._failures) == 10


def test_success_forgets_the_account_but_not_the_address():
    sign_ins = SignIns(per_account=1, per_address=1)
    sign_ins.failed("a", "192.0.2.1", 0)
    sign_ins.succeeded("a", "192.0.2.1")
    with pytest.raises(Busy, match="wait 300 seconds"):
        sign_ins.check("a", "192.0.2.1", 1000)
