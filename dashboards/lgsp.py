"""LGSP and the national databases: which services answer, how fast, and which fail."""

from dashboards.board import Board
from dashboards.panel import Ask, Panel, Search

BOARD = Board(
    "lgsp",
    ("LGSP và cơ sở dữ liệu quốc gia", "LGSP and national databases"),
    (
        "Dịch vụ nào trả lời, nhanh chậm ra sao, dịch vụ nào lỗi.",
        "Which services answer, how fast, and which fail.",
    ),
    (
        Panel(
            ("Lượt gọi thành công", "Calls that succeed"),
            ("Phần lượt gọi thành công trong 15 phút.", "Share of the calls that succeed, over 15 minutes."),
            "stat",
            "percentunit",
            "/services",
            (
                Ask(
                    'sum(rate(soc_lgsp_calls_total{outcome="success",unit=~"$unit"}[15m])) '
                    '/ sum(rate(soc_lgsp_calls_total{unit=~"$unit"}[15m]))'
                ),
            ),
            (0.99, 0.95),
        ),
        Panel(
            ("Lượt gọi theo kết quả", "Calls by outcome"),
            ("Lượt gọi mỗi giây, theo kết quả.", "Calls a second, by outcome."),
            "time",
            "ops",
            "/series?q=lgsp",
            (Ask('sum by (outcome) (rate(soc_lgsp_calls_total{unit=~"$unit"}[$__rate_interval]))', "{{outcome}}"),),
            stacked=True,
        ),
        Panel(
            ("Thành công theo dịch vụ", "Success by service"),
            ("Phần lượt gọi thành công của từng dịch vụ.", "Share of the calls of each service that succeed."),
            "bar",
            "percentunit",
            "/services",
            (
                Ask(
                    'bottomk(10, sum by (service) (rate(soc_lgsp_service_calls_total{outcome="success"}[15m])) '
                    "/ sum by (service) (rate(soc_lgsp_service_calls_total[15m])))",
                    "{{service}}",
                ),
            ),
            (0.99, 0.95),
        ),
        Panel(
            ("Thời gian trả lời p95 theo dịch vụ", "Time to answer, p95, by service"),
            ("95 % lượt gọi nhanh hơn mức này.", "95 % of the calls are faster than this."),
            "time",
            "s",
            "/series?q=lgsp-latency",
            (
                Ask(
                    "histogram_quantile(0.95, sum by (le, service) (rate(soc_lgsp_call_seconds_bucket[15m])))",
                    "{{service}}",
                ),
            ),
        ),
        Panel(
            ("Lỗi theo dịch vụ", "Errors by service"),
            ("Lượt gọi lỗi mỗi phút, theo dịch vụ.", "Failed calls a minute, by service."),
            "time",
            "short",
            "/anomalies",
            (Ask('60 * sum by (service) (rate(soc_lgsp_service_calls_total{outcome="failure"}[5m]))', "{{service}}"),),
            stacked=True,
        ),
        Panel(
            ("Lượt gọi theo nơi cung cấp", "Calls by provider"),
            ("Từ chính các sự kiện đã lưu.", "From the events themselves."),
            "time",
            "short",
            "/events?q=event.dataset%3Algsp.gateway",
            (Search("events", "event.dataset:lgsp.gateway", "govsoc.lgsp.provider", "organization.id"),),
            stacked=True,
        ),
    ),
)
