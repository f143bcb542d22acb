"""An alarm as alerts know what is found: the rule that stands for the objectives of a system, and a finding."""

from __future__ import annotations

import hashlib

from detector.health.alarm import Alarm, Child
from detector.health.burn import Severity
from soc.model.event import Fields, iso
from soc.model.finding import Finding, alert_id, finding_id
from soc.model.rule import RuleDoc
from soc.model.service_level import Blame
from soc.model.system import SYSTEMS

FIELD = "govsoc.level."  # in what the findings matched
_LEVELS = {Severity.PAGE: "high", Severity.TICKET: "medium"}
_TITLES = {
    "vi": "{system}: ngân sách lỗi cạn quá nhanh",
    "en": "{system}: the error budget burns too fast",
}
_RUNBOOK = {
    "vi": """\
1. Đọc lý do: lỗi ở phía nào, từ bao giờ, tốc độ cạn.
2. Mở trang **Dịch vụ** của đơn vị: phần nào lỗi nhiều nhất, ngân sách còn bao nhiêu.
3. Phía trả lời lỗi: gọi đầu mối của bên đó. Phía gọi lỗi: xem bản cập nhật, cấu hình, chứng thư của bên gọi. Chính hệ thống: xem
   máy chủ và đường truyền.
4. Báo cho các xã: thủ tục nào tạm dừng, cách tiếp nhận tạm thời.
""",
    "en": """\
1. Read the reason: whose fault, since when, how fast it burns.
2. Open the organisation's **Services** page: which part fails most, how much budget is left.
3. Upstream: call their contact. Local: look at the caller's updates, configuration, certificate. The system itself: servers
   and network.
4. Tell the communes which procedures stop and how to accept files meanwhile.
""",
}


def finding_of(alarm: Alarm) -> Finding:
    """How it stands; once it is over, the last finding of its alert says so. A ticket that becomes a page is an alert of its own:
    somebody is to be called."""
    rule = rule_of(alarm)
    alert = alert_id(rule.id, alarm.org, alarm.org, f"episode {alarm.since}")
    at = alarm.at - 1  # within the last minute that was decided
    event = f"{at:012x}{hashlib.blake2b(alarm.id.encode(), digest_size=10).hexdigest()}"
    return Finding(
        finding_id(alert, event),
        alert,
        rule.id,
        rule.hash,
        alarm.org,
        "organization.id",
        alarm.org,
        at,
        event,
        _said(alarm),
    )


def rule_of(alarm: Alarm) -> RuleDoc:
    titles = {language: text.format(system=SYSTEMS[alarm.system][language]) for language, text in _TITLES.items()}
    id_ = f"level-{alarm.severity}-{alarm.system}"
    return RuleDoc(
        id=id_,
        hash=hashlib.blake2b(id_.encode(), digest_size=12).hexdigest(),
        title=titles["en"],
        level=_LEVELS[alarm.severity],
        text="",
        titles=titles,
        runbook=_RUNBOOK,
    )


def _said(alarm: Alarm) -> Fields:
    worst, place = alarm.children[0], alarm.place
    fields: Fields = {
        "reason": alarm.reason["en"],
        "reason_vi": alarm.reason["vi"],
        "since": iso(alarm.since),
        "blame": place.blame,
        "objective": worst.slo,
        "burn": round(worst.burn, 1),
        "bad": worst.bad,
        "total": worst.total,
        "burning": [_words(child) for child in alarm.children],
    }
    if alarm.ended_at is not None:
        fields["ended"] = iso(alarm.ended_at)
    names = {"upstream": place.upstream, "local": place.local}
    fields |= {name: list(values) for name, values in names.items() if values}
    return {FIELD + name: value for name, value in fields.items()}


def _words(child: Child) -> str:
    where = "" if child.kind is Blame.PLATFORM else f" {child.kind} {child.name}"
    return f"{child.slo}{where}: {child.bad} of {child.total} in {child.minutes // 60} h"
