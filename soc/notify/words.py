"""What the messages say, in Vietnamese and English. Who reads them may have no console open, so each says all that is needed."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, Mapping[str, str]] = {
    "vi": {
        "alerts": "cảnh báo",
        "more": "và {n} cảnh báo nữa, xem trên trang quản trị",
        "organisation": "Cơ quan",
        "entity": "Đối tượng",
        "events": "Số sự kiện",
        "first": "Lần đầu",
        "last": "Lần cuối",
        "open": "Mở cảnh báo",
        "queue": "Mở danh sách cảnh báo",
        "todo": "Việc cần làm",
        "why": "Thư này do quy tắc thông báo “{route}” của govsoc gửi tự động.",
        "test": "Thử thông báo của govsoc",
        "tested": "Đây là tin thử. Nếu bạn đọc được tin này thì quy tắc thông báo đã hoạt động.",
        "critical": "nghiêm trọng",
        "high": "cao",
        "medium": "trung bình",
        "low": "thấp",
        "informational": "thông tin",
    },
    "en": {
        "alerts": "alerts",
        "more": "and {n} more alerts, see the console",
        "organisation": "Organisation",
        "entity": "Entity",
        "events": "Events",
        "first": "First seen",
        "last": "Last seen",
        "open": "Open the alert",
        "queue": "Open the queue",
        "todo": "What to do",
        "why": "Sent by govsoc because of the route “{route}”.",
        "test": "Test of govsoc's notifications",
        "tested": "This is a test. If you can read it, the route works.",
        "critical": "critical",
        "high": "high",
        "medium": "medium",
        "low": "low",
        "informational": "informational",
    },
}
