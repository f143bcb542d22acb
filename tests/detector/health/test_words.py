"""Why an alarm is on, as people read it."""

from __future__ import annotations

from detector.health.alarm import Child
from detector.health.definition import load
from detector.health.words import reason
from soc.model.service_level import Blame, Place


def test_a_loss_of_a_half_is_not_told_as_one_of_all() -> None:
    slo = next(one for one in load()[0] if one.system == "otp")
    worst = Child(slo.name, Blame.UPSTREAM, "viettel", 14.4, 60, 1000, 500, 16.7)
    told = reason(slo, Place(Blame.UPSTREAM, upstream=("viettel",)), worst)
    assert told["en"].startswith("The fault is upstream: viettel fails too often, whoever asks; others do well.")
    assert told["vi"].startswith("Lỗi ở phía trả lời: viettel lỗi nhiều với mọi bên gọi tới, các nơi khác vẫn bình")
    assert "500 of 1000 failed (50 %;" in told["en"]
    for blame in Blame:
        told = reason(slo, Place(blame, ("viettel",), ("portal",)), worst)
        assert "everybody" not in told["en"]
        assert "không đáp ứng" not in told["vi"]
