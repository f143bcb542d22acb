"""National overview: the wall screen that a director understands."""

from dashboards.board import Board
from dashboards.panel import Ask, Panel, silent

_LIVE = 'sum by (unit) (soc_sources{state="live",unit=~"$unit"})'
_MEANT = 'sum by (unit) (soc_sources{state!~"disabled|exempt",unit=~"$unit"})'
_WORST = (  # an organisation of a province or ministry is named after it: H07.12
    'min by (unit) (label_replace(soc_observer_level_budget_left_ratio{org=~"($unit)([.].*)?"},'
    ' "unit", "$1", "org", "([^.]+).*"))'
)

BOARD = Board(
    "national",
    ("Toàn cảnh quốc gia", "National overview"),
    (
        "Mỗi tỉnh và bộ một ô: nhật ký có về đủ không, còn bao nhiêu sự cố, dịch vụ có khoẻ không.",
        "A tile for each province and ministry: do its logs arrive, what is open, how are its services.",
    ),
    (
        Panel(
            ("Nguồn nhật ký đang chạy", "Sources alive"),
            ("Tỷ lệ nguồn đang gửi nhật ký.", "Share of the sources that send."),
            "stat",
            "percentunit",
            "/coverage",
            (Ask(f"sum({_LIVE}) / sum({_MEANT})"),),
            (0.9, 0.6),
        ),
        silent(("Nguồn im lặng", "Silent sources")),
        Panel(
            ("Cảnh báo chưa đóng", "Alerts open"),
            ("Tất cả cảnh báo chưa có kết luận.", "All alerts that nobody has closed."),
            "stat",
            "short",
            "/alerts",
            (Ask('sum(soc_alerts_open{unit=~"$unit"}) or vector(0)'),),
            (50, 200),
        ),
        Panel(
            ("Sự cố đang xử lý", "Incidents open"),
            ("Sự cố mà chuyên viên đang xử lý.", "Incidents that analysts work on."),
            "stat",
            "short",
            "/incidents",
            (Ask('sum(soc_incidents_open{unit=~"$unit"}) or vector(0)'),),
            (1, 5),
        ),
        Panel(
            ("Mục tiêu dịch vụ đang hụt", "Objectives missed"),
            ("Số mục tiêu dịch vụ đã tiêu hết ngân sách lỗi.", "Objectives of which the error budget is spent."),
            "stat",
            "short",
            "/services",
            (Ask('count(soc_observer_level_budget_left_ratio{org=~"($unit)([.].*)?"} < 0) or vector(0)'),),
            (1, 3),
        ),
        Panel(
            ("Sự kiện mỗi giây", "Events a second"),
            ("Sự kiện đọc được từ mọi hệ thống.", "Events read from all systems."),
            "stat",
            "ops",
            "/sources",
            (Ask('sum(rate(soc_traffic_events_total{unit=~"$unit",dataset=~"$system"}[$__rate_interval]))'),),
        ),
        Panel(
            ("Độ phủ theo đơn vị", "Coverage by organisation"),
            (
                "Tỷ lệ nguồn đang gửi nhật ký của từng tỉnh, bộ; 0 nếu chưa kết nối.",
                "Share of its sources that send, of each province and ministry; 0 where nothing is connected.",
            ),
            "tiles",
            "percentunit",
            "/coverage",
            (Ask(f"{_LIVE} / clamp_min({_MEANT}, 1)", "{{unit}}"),),
            (0.9, 0.6),
        ),
        Panel(
            ("Cảnh báo theo đơn vị", "Alerts by organisation"),
            ("Cảnh báo chưa đóng của từng tỉnh, bộ.", "Open alerts of each province and ministry."),
            "tiles",
            "short",
            "/alerts",
            (Ask('sum by (unit) (soc_alerts_open{unit=~"$unit"})', "{{unit}}"),),
            (10, 50),
        ),
        Panel(
            ("Dịch vụ kém nhất theo đơn vị", "Worst service by organisation"),
            (
                "Phần ngân sách lỗi còn lại của mục tiêu kém nhất; dưới 0 là đã vượt.",
                "What is left of the error budget of the worst objective; below 0 it is overdrawn.",
            ),
            "tiles",
            "percentunit",
            "/services",
            (Ask(_WORST, "{{unit}}"),),
            (0.5, 0.1),
        ),
    ),
)
