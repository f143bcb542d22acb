"""Why an entity is unusual, and what of it is harmless, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping

from detector.entities.item import Kind, Why
from soc.model.harmless import Limit

_SHOWN = 80
# What people call the fields that are looked at; others go by their own names.
_FIELDS: Mapping[str, Mapping[str, str]] = {
    "vi": {
        "govsoc.lgsp.subject": "công dân",
        "govsoc.lgsp.service_code": "dịch vụ",
        "govsoc.lgsp.provider": "cơ quan cung cấp",
        "govsoc.lgsp.consumer": "hệ thống gọi",
        "govsoc.lgsp.records": "số bản ghi trả về",
        "govsoc.lgsp.token_status": "trạng thái token",
        "govsoc.subject.walk": "số định danh nối tiếp",
        "govsoc.otp.phone": "số điện thoại",
        "http.response.status_code": "mã trả lời",
        "http.request.method": "phương thức",
        "url.path": "đường dẫn",
        "source.ip": "địa chỉ nguồn",
        "user.id": "tài khoản",
        "user.name": "tài khoản",
        "host.name": "máy chủ",
        "event.action": "hành động",
        "event.outcome": "kết quả",
        "user_agent.original": "trình duyệt",
        "govsoc.ssh.method": "cách đăng nhập",
    },
    "en": {
        "govsoc.lgsp.subject": "citizens",
        "govsoc.lgsp.service_code": "services",
        "govsoc.lgsp.provider": "providers",
        "govsoc.lgsp.consumer": "consumers",
        "govsoc.lgsp.records": "numbers of records",
        "govsoc.lgsp.token_status": "token states",
        "govsoc.subject.walk": "citizen ids in a row",
        "govsoc.otp.phone": "phone numbers",
        "http.response.status_code": "answer codes",
        "http.request.method": "methods",
        "url.path": "paths",
        "source.ip": "source addresses",
        "user.id": "accounts",
        "user.name": "accounts",
        "host.name": "hosts",
        "event.action": "actions",
        "event.outcome": "outcomes",
        "user_agent.original": "browsers",
        "govsoc.ssh.method": "ways to sign in",
    },
}
_TEXTS: Mapping[str, Mapping[Kind, str]] = {
    "vi": {
        Kind.EVENTS: "{actual} sự kiện trong {minutes} phút ({usual})",
        Kind.COUNT: "{actual} sự kiện có {field} = {value} trong {minutes} phút ({usual})",
        Kind.SHARE: "{part} trong {whole} sự kiện ({actual}) có {field} = {value} (thường {own}, nơi khác {others})",
        Kind.DISTINCT: "{actual} {field} khác nhau trong {minutes} phút ({usual})",
        Kind.FRESH: "{actual} {field} chưa từng có trước đây, trong {minutes} phút ({usual})",
        Kind.NEXT: "{actual} lần {field} có số nối tiếp số khác, trong {minutes} phút ({usual})",
        Kind.EVENTS_DAY: "{actual} sự kiện từ đầu ngày ({usual}, cả ngày)",
        Kind.DISTINCT_DAY: "{actual} {field} khác nhau từ đầu ngày ({usual}, cả ngày)",
        Kind.HOUR: "hoạt động lúc khoảng {value}: bằng {own} so với giờ quen thuộc (nơi khác: {others})",
        Kind.TRAVEL: "từ {actual} nơi trong vòng một giờ: {value} (ở nhiều nơi: {own} thời gian hoạt động; nơi khác: {others})",
        Kind.RARE: "{field} = {value}: {own}; {others}",
    },
    "en": {
        Kind.EVENTS: "{actual} events in {minutes} minutes ({usual})",
        Kind.COUNT: "{actual} events with {field} = {value} in {minutes} minutes ({usual})",
        Kind.SHARE: "{part} of {whole} events ({actual}) have {field} = {value} (usual {own}, others {others})",
        Kind.DISTINCT: "{actual} different {field} in {minutes} minutes ({usual})",
        Kind.FRESH: "{actual} {field} never seen of it before, in {minutes} minutes ({usual})",
        Kind.NEXT: "{actual} times {field} whose number follows another one's, in {minutes} minutes ({usual})",
        Kind.EVENTS_DAY: "{actual} events since the day began ({usual}, on a whole day)",
        Kind.DISTINCT_DAY: "{actual} different {field} since the day began ({usual}, on a whole day)",
        Kind.HOUR: "active around {value}: {own} as often as at its usual hours (others: {others})",
        Kind.TRAVEL: "from {actual} places within an hour: {value} (more than one in {own} of its active periods; others: {others})",
        Kind.RARE: "{field} = {value}: {own}; {others}",
    },
}
_USUAL = {"vi": "thường {expected}, nơi khác {peers}", "en": "usual {expected}, others {peers}"}
_OWN = {
    "vi": ("chưa từng có", "có trong {share} thời gian hoạt động"),
    "en": ("never before", "in {share} of its active periods"),
}
_OTHERS = {
    "vi": ("không nơi nào khác có", "{share} nơi khác từng có"),
    "en": ("nobody else has had it", "{share} of the others have had it"),
}

# What raises no alert.
_LIMITS: Mapping[str, Mapping[Kind, str]] = {
    "vi": {
        Kind.EVENTS: "tối đa {most} sự kiện",
        Kind.COUNT: "tối đa {most} sự kiện có {field} = {value}",
        Kind.SHARE: "tỷ lệ {field} = {value} tối đa {most}",
        Kind.DISTINCT: "tối đa {most} {field} khác nhau",
        Kind.FRESH: "tối đa {most} {field} chưa từng có trước đây",
        Kind.NEXT: "tối đa {most} lần {field} có số nối tiếp số khác",
        Kind.EVENTS_DAY: "tối đa {most} sự kiện trong một ngày",
        Kind.DISTINCT_DAY: "tối đa {most} {field} khác nhau trong một ngày",
        Kind.HOUR: "hoạt động lúc khoảng {value}",
        Kind.TRAVEL: "từ {value} trong vòng một giờ",
        Kind.RARE: "{field} = {value}",
    },
    "en": {
        Kind.EVENTS: "up to {most} events",
        Kind.COUNT: "up to {most} events with {field} = {value}",
        Kind.SHARE: "share of {field} = {value} up to {most}",
        Kind.DISTINCT: "up to {most} different {field}",
        Kind.FRESH: "up to {most} {field} never seen of it before",
        Kind.NEXT: "up to {most} times {field} whose number follows another one's",
        Kind.EVENTS_DAY: "up to {most} events in a day",
        Kind.DISTINCT_DAY: "up to {most} different {field} in a day",
        Kind.HOUR: "active around {value}",
        Kind.TRAVEL: "from {value} within an hour",
        Kind.RARE: "{field} = {value}",
    },
}
_BY_NAME = frozenset({Kind.COUNT, Kind.SHARE, Kind.RARE})  # their fields go by their own names
_OF_A_VALUE = frozenset({Kind.RARE, Kind.HOUR, Kind.TRAVEL})


def worded(why: Why, minutes: int, language: str) -> str:
    """The reason as a sentence in `vi` or `en`. `minutes`: how long a bucket is."""
    value, name = _cut(why.value), _named(language, why.kind, why.field)
    rare = why.kind is Kind.RARE
    digits = 1 if why.kind is Kind.SHARE else 0
    own, others = _share(language, why.expected, digits), _share(language, why.peers, digits)
    actual = _share(language, why.actual, 0) if why.kind is Kind.SHARE else _number(language, why.actual, 0)
    if rare:
        own, others = _either(language, _OWN, why.expected), _either(language, _OTHERS, why.peers)
    return _TEXTS[language][why.kind].format(
        actual=actual,
        part=_number(language, why.actual * why.of, 0),
        whole=_number(language, why.of, 0),
        minutes=minutes,
        field=name,
        value=value,
        own=own,
        others=others,
        usual=_USUAL[language].format(expected=_count(language, why.expected), peers=_count(language, why.peers)),
    )


def limit_worded(limit: Limit, language: str) -> str:
    """What may be of it without an alert, in `vi` or `en`; as the limit names itself where its kind is not known, or it has no bound."""
    kind = next((kind for kind in Kind if kind == limit.kind), None)
    if kind is None or not (limit.most > 0 or kind in _OF_A_VALUE):
        return _cut(str(limit))
    most = limit.most
    return _LIMITS[language][kind].format(
        most=_share_at_most(language, most) if kind is Kind.SHARE else _number(language, math.floor(most), 0),
        field=_named(language, kind, limit.field),
        value=_cut(limit.value),
    )


def _named(language: str, kind: Kind, field: str) -> str:
    return field if kind in _BY_NAME else _FIELDS[language].get(field, field)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _either(language: str, texts: Mapping[str, tuple[str, str]], share: float) -> str:
    none, some = texts[language]
    return some.format(share=_share(language, share, 1)) if share else none


def _share(language: str, share: float, digits: int) -> str:
    return _number(language, 100 * share, digits) + " %"


def _share_at_most(language: str, share: float) -> str:
    """Never said to be more than it is."""
    digits = 0 if share >= 0.1 else 1
    unit = 10 ** (2 + digits)
    return _share(language, math.floor(share * unit + 1e-6) / unit, digits)


def _count(language: str, count: float) -> str:
    return _number(language, count, 0 if count >= 10 else 1)


def _number(language: str, value: float, digits: int) -> str:
    text = f"{value:,.{digits}f}"
    return text.translate({44: ".", 46: ","}) if language == "vi" else text
