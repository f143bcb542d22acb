from __future__ import annotations

import threading

import pytest
import structlog
from prometheus_client import CollectorRegistry, Counter
from servers import eventually
from structlog.testing import capture_logs

from soc.complaint import Complaint
from soc.errors import StoreUnavailable
from soc.service.looking import keep_looking, looking


class Looks:
    """Of which the first and the second fail; after `most` it stops."""

    def __init__(self, most: int = 3) -> None:
        self.number, self.most, self.stop = 0, most, threading.Event()

    def __call__(self) -> None:
        self.number += 1
        if self.number >= self.most:
            self.stop.set()
        if self.number < 3:
            raise StoreUnavailable("away") if self.number == 1 else ValueError("odd")


@pytest.fixture
def failures():
    return Counter("failures", "of these tests", registry=CollectorRegistry())


def complaint() -> Complaint:
    return Complaint(structlog.get_logger(), "it fails", "it works again")


def test_whatever_it_meets_it_goes_on_counts_and_says_when_it_is_over(failures):
    looks = Looks()
    with capture_logs() as said:
        keep_looking(looks, 0, complaint(), looks.stop, failures)
    assert looks.number == 3
    assert failures._value.get() == 2
    assert [line["event"] for line in said] == ["it fails", "it fails", "it works again"]


def test_who_was_told_to_stop_does_not_look(failures):
    looks = Looks()
    looks.stop.set()
    keep_looking(looks, 0, complaint(), looks.stop, failures)
    assert looks.number == 0


def test_a_thread_looks_only_after_a_while_and_no_more_when_the_block_ends(failures):
    looks = Looks(most=1_000_000)
    with looking("x", looks, 600, complaint(), failures):
        pass
    assert looks.number == 0
    with looking("x", looks, 0.001, complaint(), failures):
        eventually(lambda: looks.number > 3, 30, "the thread looks")
    assert not [one for one in threading.enumerate() if one.name == "x"]
    assert failures._value.get() == 2
