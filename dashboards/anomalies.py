"""Anomalies and service levels: what was expected, what was, and what burns."""

from dashboards.board import Board
from dashboards.panel import Api, Ask, Panel

BOARD = Board(
    "anomalies",
    ("Bất thường và mức dịch vụ", "Anomalies and service levels"),
    ("Mức mong đợi so với thực tế, và ngân sách lỗi.", "What was expected against what was, and error budgets."),
    (
        Panel(
            ("Mong đợi và thực tế", "Expected and actual"),
            (
                "Giá trị của một chuỗi và dải mong đợi. Chọn chuỗi ở biến `series`.",
                "The values of a series and the band expected. The variable `series` chooses which.",
            ),
            "time",
            "short",
            "/series/${series}",
            (Api("/api/v1/series/${series}?hours=24", "readings", "time", ("value", "expected", "lower", "upper")),),
        ),
        Panel(
            ("Bất thường mỗi giờ", "Anomalies an hour"),
            ("Lần gọi theo chuỗi và theo đối tượng.", "Calls by series and by entities."),
            "time",
            "short",
            "/anomalies",
            (
                Ask("sum(increase(soc_observer_findings_total[1h]))", "chuỗi · series"),
                Ask("sum(increase(soc_observer_unusual_total[1h]))", "đối tượng · entities"),
            ),
        ),
        Panel(
            ("Chuỗi và đối tượng", "Series and entities"),
            ("Đang theo dõi, và phần không còn chỗ.", "That are followed, and what had no room."),
            "time",
            "short",
            "/series",
            (
                Ask("max(soc_observer_series)", "chuỗi · series"),
                Ask("max(soc_observer_series_beyond)", "ngoài giới hạn · beyond"),
                Ask("max(soc_observer_entities)", "đối tượng · entities"),
                Ask(
                    "sum(increase(soc_observer_entities_beyond_events_total[1h]))",
                    "sự kiện ngoài giới hạn · events beyond",
                ),
            ),
        ),
        Panel(
            ("Ngân sách lỗi còn lại", "Error budget left"),
            ("Của từng mục tiêu; dưới 0 là đã vượt.", "Of each objective; below 0 it is overdrawn."),
            "bar",
            "percentunit",
            "/services",
            (
                Ask(
                    'bottomk(20, min by (org, slo) (soc_observer_level_budget_left_ratio{org=~"($unit)([.].*)?"}))',
                    "{{org}} {{slo}}",
                ),
            ),
            (0.5, 0.1),
        ),
        Panel(
            ("Mức dịch vụ", "Service level"),
            (
                "Phần đạt của từng mục tiêu trong số ngày của nó.",
                "Share that was good of each objective, over its days.",
            ),
            "bar",
            "percentunit",
            "/services",
            (
                Ask(
                    'bottomk(20, min by (org, slo) (soc_observer_level_good_ratio{org=~"($unit)([.].*)?"}))',
                    "{{org}} {{slo}}",
                ),
            ),
        ),
        Panel(
            ("Tốc độ tiêu ngân sách", "Burn rate"),
            ("1 là vừa đủ đến hết kỳ; 14 là hết trong hai ngày.", "At 1 it lasts its days; at 14 two days."),
            "time",
            "short",
            "/services",
            (
                Ask(
                    'topk(10, max by (org, slo) (soc_observer_level_burn_ratio{org=~"($unit)([.].*)?"}))',
                    "{{org}} {{slo}}",
                ),
            ),
        ),
        Panel(
            ("Đang hụt", "Burning"),
            ("Hệ thống đang tiêu ngân sách lỗi quá nhanh.", "Systems whose error budget burns."),
            "time",
            "short",
            "/services",
            (
                Ask("sum by (severity) (soc_observer_levels_burning)", "{{severity}}"),
                Ask("max(soc_observer_levels)", "mục tiêu · objectives"),
                Ask("max(soc_observer_levels_shown)", "có chỉ số riêng · with metrics"),
                Ask("sum(increase(soc_observer_levels_ahead_events_total[1h]))", "sai giờ · wrong clock"),
            ),
        ),
        Panel(
            ("Quan sát chậm", "Observer lag"),
            (
                "Đồng hồ trừ giờ của sự kiện mới nhất đã vào chuỗi.",
                "Wall clock minus the time of the newest event in series.",
            ),
            "stat",
            "s",
            "/series",
            (Ask("max(soc_observer_lag_seconds)"),),
            (120, 600),
        ),
        Panel(
            ("Định nghĩa lỗi", "Faulty definitions"),
            (
                "Định nghĩa chuỗi, mục tiêu, đối tượng bị lỗi.",
                "Definitions of series, objectives and entities with faults.",
            ),
            "stat",
            "short",
            "/series",
            (Ask("max(soc_observer_definition_faults)"),),
            (1, 3),
        ),
    ),
)
