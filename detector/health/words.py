"""Why an alarm is on, in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from detector.health.alarm import Child
from detector.health.definition import Slo
from soc.model.calendar import ZONE_MS
from soc.model.service_level import Blame, Place
from soc.model.system import SYSTEMS

_SHOWN = 3

_PLACES: Mapping[str, Mapping[Blame, str]] = {
    "vi": {
        Blame.UPSTREAM: "Lỗi ở phía trả lời: {upstream} lỗi nhiều với mọi bên gọi tới, các nơi khác vẫn bình thường.",
        Blame.LOCAL: "Lỗi ở phía gọi: {local} lỗi nhiều với mọi nơi trả lời, các bên gọi khác vẫn bình thường.",
        Blame.LINK: "Lỗi ở đường nối giữa {local} và {upstream}: những đường nối khác vẫn bình thường.",
        Blame.PLATFORM: "Lỗi ở chính hệ thống: lỗi nhiều với gần như mọi nơi trả lời và mọi bên gọi.",
        Blame.UNKNOWN: "Số liệu chưa cho thấy lỗi do phía nào.",
    },
    "en": {
        Blame.UPSTREAM: "The fault is upstream: {upstream} fails too often, whoever asks; others do well.",
        Blame.LOCAL: "The fault is local: {local} fails too often, wherever it asks; others who ask do well.",
        Blame.LINK: "The fault is between {local} and {upstream}: other connections do well.",
        Blame.PLATFORM: "The fault is in the system itself: it fails too often for nearly everyone, everywhere.",
        Blame.UNKNOWN: "The counts do not show whose fault it is.",
    },
}
_SEEN = {"vi": " Thấy ở: {names}.", "en": " Seen at: {names}."}
_BURN = {
    "vi": "{system}: {title}. Trong {minutes}, {bad} trên {total} không đạt ({share} %; cho phép {allowed} %), ngân sách lỗi cạn nhanh "
    "gấp {burn} lần mức cho phép{part}.",
    "en": "{system}: {title}. In {minutes}, {bad} of {total} failed ({share} %; {allowed} % may), which burns the error budget {burn} "
    "times as fast as allowed{part}.",
}
_OWN = {"vi": " (tính riêng {name})", "en": " (of {name} alone)"}
_AND_MORE = {"vi": "{names} và {more} nơi khác", "en": "{names} and {more} more"}
_HOUR = {"vi": "{n} giờ qua", "en": "the last {n} h"}
_OVER = {
    "vi": "{system}: đã qua. Từ {since}, ngân sách lỗi không còn cạn nhanh hơn mức cho phép.",
    "en": "{system}: it is over. Since {since} the error budget has burned no faster than allowed.",
}
_LOST = {
    "vi": "{system}: thôi theo dõi. Từ {since} không thấy lỗi, và một ngày nay không còn bản ghi nào để biết tình trạng.",
    "en": "{system}: given up. No fault was seen since {since}, and for a day nothing has been recorded that would tell how it is.",
}


def reason(slo: Slo, place: Place, worst: Child) -> dict[str, str]:
    """Why the alarm of these is on, by language."""
    return {language: _said(language, slo, place, worst) for language in _PLACES}


def over(system: str, since: int) -> dict[str, str]:
    """What is said once it is over. `since`: ms, when it burned last."""
    return _ended(_OVER, system, since)


def lost(system: str, since: int) -> dict[str, str]:
    """What is said when an episode is given up, because nothing is known any more. `since`: ms, when it burned last."""
    return _ended(_LOST, system, since)


def _ended(texts: Mapping[str, str], system: str, since: int) -> dict[str, str]:
    at = datetime.fromtimestamp((since + ZONE_MS) / 1000, UTC)  # as clocks in Viet Nam show it
    when = {"vi": f"{at:%H:%M} ngày {at:%d/%m/%Y}", "en": f"{at:%H:%M} on {at:%Y-%m-%d} (Viet Nam)"}
    return {
        language: text.format(system=SYSTEMS[system][language], since=when[language])
        for language, text in texts.items()
    }


def _said(language: str, slo: Slo, place: Place, worst: Child) -> str:
    numbers = _BURN[language].format(
        system=SYSTEMS[slo.system][language],
        title=slo.titles[language],
        minutes=_HOUR[language].format(n=worst.minutes // 60),
        bad=worst.bad,
        total=worst.total,
        share=_number(language, 100 * worst.bad / max(1, worst.total)),
        allowed=_number(language, 100 * slo.budget),
        burn=_number(language, worst.burn),
        part=_OWN[language].format(name=worst.name) if worst.name else "",
    )
    whose = _PLACES[language][place.blame].format(
        upstream=_names(language, place.upstream), local=_names(language, place.local)
    )
    if place.blame is Blame.UNKNOWN and (names := place.upstream + place.local):
        whose += _SEEN[language].format(names=_names(language, names))
    return f"{whose} {numbers}"


def _names(language: str, names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return _AND_MORE[language].format(names=shown, more=len(names) - _SHOWN) if len(names) > _SHOWN else shown


def _number(language: str, value: float) -> str:
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return text.replace(".", ",") if language == "vi" else text
