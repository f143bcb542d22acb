"""Citizen portals: do they answer, how fast, and who attacks them."""

from dashboards.board import Board
from dashboards.panel import Ask, Panel, Search

BOARD = Board(
    "portal",
    ("Cổng dịch vụ công", "Portals"),
    (
        "Cổng có trả lời không, nhanh chậm ra sao, ai đang tấn công.",
        "Do portals answer, how fast, and who attacks them.",
    ),
    (
        Panel(
            ("Yêu cầu theo mã trạng thái", "Requests by status"),
            ("Yêu cầu mỗi giây theo nhóm mã trạng thái.", "Requests a second by class of status."),
            "time",
            "reqps",
            "/events?q=http.response.status_code%3A%2A",
            (Ask('sum by (status) (rate(soc_portal_requests_total{unit=~"$unit"}[$__rate_interval]))', "{{status}}"),),
            stacked=True,
        ),
        Panel(
            ("Thời gian trả lời", "Time to answer"),
            ("Trung vị và p95.", "Median and p95."),
            "time",
            "s",
            "/series?q=portal-latency",
            tuple(
                Ask(
                    f"histogram_quantile({share}, sum by (le) "
                    '(rate(soc_portal_request_seconds_bucket{unit=~"$unit"}[15m])))',
                    legend,
                )
                for share, legend in ((0.5, "p50"), (0.95, "p95"))
            ),
        ),
        Panel(
            ("Lỗi máy chủ", "Server errors"),
            ("Phần yêu cầu trả mã 5xx trong 15 phút.", "Share of the requests answered 5xx, over 15 minutes."),
            "stat",
            "percentunit",
            "/services",
            (
                Ask(
                    '(sum(rate(soc_portal_requests_total{status="5xx",unit=~"$unit"}[15m])) or vector(0)) '
                    '/ sum(rate(soc_portal_requests_total{unit=~"$unit"}[15m]))'
                ),
            ),
            (0.01, 0.05),
        ),
        Panel(
            ("Yêu cầu theo đơn vị", "Requests by organisation"),
            ("Yêu cầu mỗi giây của từng cổng.", "Requests a second of each unit's portals."),
            "bar",
            "reqps",
            "/coverage",
            (Ask('sum by (unit) (rate(soc_portal_requests_total{unit=~"$unit"}[15m]))', "{{unit}}"),),
        ),
        Panel(
            ("Tấn công theo quy tắc", "Attacks by rule"),
            (
                "Cảnh báo về cổng theo quy tắc, một ngày qua.",
                "Alerts of the last day, of the rules about web servers with most.",
            ),
            "bar",
            "short",
            "/alerts",
            (Ask('topk(10, soc_rule_alerts{logs="webserver"})', "{{title}}"),),
        ),
        Panel(
            ("Địa chỉ gọi nhiều nhất", "Busiest addresses"),
            ("Từ chính các sự kiện đã lưu.", "From the events themselves."),
            "time",
            "short",
            "/events?q=event.dataset%3Anginx.access",
            (Search("events", "event.dataset:(nginx.access OR apache.access)", "source.ip", "organization.id"),),
        ),
    ),
)
