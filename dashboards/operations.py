"""SOC operations: is the queue under control, how long do alerts wait, and which rules make the noise."""

from dashboards.board import Board
from dashboards.panel import Ask, Panel, Search


def _quantile(metric: str) -> Ask:
    return Ask(f"histogram_quantile(0.5, sum by (le, level) (increase({metric}_bucket[$__range])))", "{{level}}")


BOARD = Board(
    "operations",
    ("Vận hành SOC", "SOC operations"),
    (
        "Hàng đợi cảnh báo, thời gian phản ứng, và quy tắc nào gây nhiễu.",
        "The queue of alerts, how long people take, and which rules make noise.",
    ),
    (
        Panel(
            ("Chưa đóng theo mức độ", "Open by severity"),
            ("Cảnh báo chưa đóng theo mức độ.", "Alerts that are not closed, by severity."),
            "bar",
            "short",
            "/alerts",
            (Ask('sum by (level) (soc_alerts_open{unit=~"$unit"})', "{{level}}"),),
        ),
        Panel(
            ("Tồn đọng theo tuổi", "Backlog by age"),
            (
                "Cảnh báo chưa đóng đã quá 1 giờ, 4 giờ, 1 ngày, 7 ngày.",
                "Open alerts older than an hour, four, a day, a week.",
            ),
            "bar",
            "short",
            "/alerts",
            (Ask("sum by (than) (soc_alerts_open_older)", "> {{than}}"),),
        ),
        Panel(
            ("Kết luận", "Verdicts"),
            ("Cảnh báo đã đóng theo kết luận.", "Closed alerts by verdict."),
            "bar",
            "short",
            "/alerts",
            (Ask("sum by (verdict) (soc_alerts_closed)", "{{verdict}}"),),
            empty="nobody has closed an alert on the demo",
        ),
        Panel(
            ("Cảnh báo mới theo mức độ", "New alerts by severity"),
            ("Cảnh báo mỗi giờ, theo mức độ.", "Alerts an hour, by severity."),
            "time",
            "short",
            "/alerts",
            (Ask("sum by (level) (increase(soc_detector_alerts_total[1h]))", "{{level}}"),),
            stacked=True,
        ),
        Panel(
            ("Cảnh báo mới theo mức độ, mọi thời gian", "New alerts by severity, any time"),
            (
                "Như trên, từ chính các cảnh báo đã lưu.",
                "The same from the alerts themselves, as far back as they are kept.",
            ),
            "time",
            "short",
            "/alerts",
            (Search("alerts", "*", "level", "org"),),
            stacked=True,
        ),
        Panel(
            ("Thời gian tiếp nhận (MTTA)", "Time to acknowledge (MTTA)"),
            ("Trung vị từ lúc có cảnh báo đến khi có người nhận.", "Median from an alert until somebody takes it up."),
            "bar",
            "s",
            "/alerts",
            (_quantile("soc_api_time_to_acknowledge_seconds"),),
            empty="nobody has taken up an alert on the demo",
        ),
        Panel(
            ("Thời gian xử lý (MTTR)", "Time to resolve (MTTR)"),
            ("Trung vị từ lúc có cảnh báo đến khi đóng.", "Median from an alert until it is closed."),
            "bar",
            "s",
            "/alerts",
            (_quantile("soc_api_time_to_resolve_seconds"),),
            empty="nobody has closed an alert on the demo",
        ),
        Panel(
            ("Quy tắc nhiều cảnh báo nhất", "Noisiest rules"),
            ("Cảnh báo trong một ngày, của các quy tắc nhiều nhất.", "Alerts of the last day, of the rules with most."),
            "bar",
            "short",
            "/rules",
            (Ask("topk(10, soc_rule_alerts)", "{{title}}"),),
        ),
        Panel(
            ("Thông báo", "Notifications"),
            ("Thông báo đã gửi, hoãn, bỏ; và đang chờ.", "Messages sent, put off, given up; and those that wait."),
            "time",
            "short",
            "/notifications",
            (
                Ask("sum by (outcome) (increase(soc_api_notifications_total[1h]))", "{{outcome}}"),
                Ask("sum(soc_api_notifications_pending)", "chờ · waiting"),
            ),
        ),
        Panel(
            ("Phát hiện bị ẩn và thử nghiệm", "Hidden and in test"),
            (
                "Phát hiện bị ngoại lệ ẩn, và của quy tắc đang thử nghiệm.",
                "Findings that exceptions hide, and those of rules in test.",
            ),
            "time",
            "short",
            "/rules",
            (
                Ask("sum(increase(soc_detector_hidden_findings_total[1h]))", "ẩn · hidden"),
                Ask("sum(increase(soc_detector_test_findings_total[1h]))", "thử nghiệm · test"),
            ),
        ),
    ),
)
