"""Onboarding: whose logs arrive, whose never did, and what cannot be read."""

from dashboards.board import Board
from dashboards.panel import Ask, Panel, silent

BOARD = Board(
    "onboarding",
    ("Kết nối nguồn", "Onboarding"),
    (
        "Nhật ký của ai về, của ai chưa, và dòng nào không đọc được.",
        "Whose logs arrive, whose do not, and what cannot be read.",
    ),
    (
        Panel(
            ("Nguồn theo tình trạng", "Sources by state"),
            (
                "Đang chạy, trễ, im lặng, chưa từng thấy, được miễn, đã tắt.",
                "Live, late, silent, never seen, exempt, disabled.",
            ),
            "bar",
            "short",
            "/sources",
            (Ask('sum by (state) (soc_sources{unit=~"$unit"})', "{{state}}"),),
        ),
        Panel(
            ("Đơn vị có nguồn đang chạy", "Organisations with a live source"),
            (
                "Số tỉnh, bộ có ít nhất một nguồn đang gửi.",
                "Provinces and ministries of which at least one source sends.",
            ),
            "stat",
            "short",
            "/coverage",
            (Ask('count(sum by (unit) (soc_sources{state="live"}) > 0) or vector(0)'),),
        ),
        silent(("Im lặng", "Silent")),
        Panel(
            ("Chứng thư hết hạn sớm nhất", "First certificate to end"),
            (
                "Thời gian còn lại của chứng thư thăm dò hết hạn sớm nhất.",
                "Time left of the probed certificate that ends first.",
            ),
            "stat",
            "s",
            "/sources",
            (Ask('min(soc_probe_certificate_left_seconds{unit=~"$unit"})'),),
            (2_592_000, 604_800),
            empty="the demo probes nothing",
        ),
        Panel(
            ("Sự kiện theo loại nhật ký", "Events by type of log"),
            ("Sự kiện mỗi giây theo loại.", "Events a second by type."),
            "time",
            "ops",
            "/sources",
            (
                Ask(
                    'sum by (dataset) (rate(soc_traffic_events_total{unit=~"$unit",dataset=~"$system"}[$__rate_interval]))',
                    "{{dataset}}",
                ),
            ),
            stacked=True,
        ),
        Panel(
            ("Bản ghi theo đường vào", "Records by transport"),
            ("Bản ghi mỗi giây: tệp, syslog, HTTP, thăm dò.", "Records a second: files, syslog, HTTP, probes."),
            "time",
            "ops",
            "/sources",
            (Ask("sum by (transport) (rate(soc_collector_records_total[$__rate_interval]))", "{{transport}}"),),
        ),
        Panel(
            ("Dòng không đọc được", "Lines that cannot be read"),
            ("Dòng lỗi mỗi phút; được giữ để đọc lại.", "Dead letters a minute; they are kept to be read again."),
            "time",
            "short",
            "/sources",
            (Ask("60 * sum(rate(soc_collector_dead_letters_total[5m]))", "dòng lỗi · dead letters"),),
        ),
        Panel(
            ("Trả lời cho bên gửi", "Answers to senders"),
            (
                "Yêu cầu gửi nhật ký theo mã trả lời: 429 là phải chờ, 401 là sai token.",
                "Push requests by answer: 429 has to wait, 401 has a wrong token.",
            ),
            "time",
            "reqps",
            "/sources",
            (Ask("sum by (status) (rate(soc_collector_push_answers_total[$__rate_interval]))", "{{status}}"),),
            empty="nobody pushes on the demo",
        ),
        Panel(
            ("Syslog bị từ chối hoặc mất", "Syslog refused or lost"),
            (
                "Người gửi lạ, kết nối bị từ chối, gói UDP bị mất.",
                "Unknown senders, refused connections, lost datagrams.",
            ),
            "time",
            "short",
            "/sources",
            (
                Ask("sum by (what) (increase(soc_collector_syslog_total[5m]))", "{{what}}"),
                Ask("sum by (where) (increase(soc_collector_dropped_total[5m]))", "{{where}}"),
                Ask("sum(increase(soc_traffic_other_total[5m]))", "không có nhãn riêng · no label of its own"),
            ),
        ),
    ),
)
