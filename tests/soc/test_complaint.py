import structlog
from structlog.testing import capture_logs

from soc.complaint import Complaint
from soc.errors import StoreUnavailable


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_reason_is_said_once_a_minute_each_new_one_at_once_and_the_end_too():
    clock = Clock()
    complaint = Complaint(structlog.get_logger(), "it waits", "it goes on", clock)
    with capture_logs() as said:
        for second in range(130):
            clock.now = float(second)
            complaint.failed(StoreUnavailable("away"))
        complaint.failed(StoreUnavailable("full"))
        complaint.failed(StoreUnavailable("away"))
        complaint.over()
        complaint.over()
    assert [(line["event"], line.get("reason")) for line in said] == [
        ("it waits", "away"),
        ("it waits", "away"),
        ("it waits", "away"),
        ("it waits", "full"),
        ("it goes on", None),
    ]
    assert said[-1]["waited_s"] == 129.0


def test_a_fault_of_ours_has_a_trace_once_and_a_foreseen_one_never():
    complaint = Complaint(structlog.get_logger(), "it waits", clock=Clock())
    with capture_logs() as said:
        complaint.failed(StoreUnavailable("away"))
        complaint.failed(ValueError("what"))
        complaint.failed(ValueError("what"))
        complaint.over()
    assert [(line["reason"], line["exc_info"]) for line in said] == [("away", False), ("ValueError: what", True)]


def test_reasons_that_all_differ_are_not_kept_for_ever():
    complaint = Complaint(structlog.get_logger(), "it waits", clock=Clock())
    with capture_logs():
        for number in range(1000):
            complaint.failed(StoreUnavailable(str(number)))
    assert len(complaint._said) <= 20
