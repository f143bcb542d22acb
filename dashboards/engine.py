"""The detection engine and the rest of govsoc: how much, how late, how dear, and what is lost."""

from dashboards.board import Board
from dashboards.panel import Ask, Panel

BOARD = Board(
    "engine",
    ("Bộ phát hiện", "Detection engine"),
    (
        "Bao nhiêu sự kiện, chậm bao lâu, quy tắc nào tốn kém, mất gì.",
        "How many events, how late, which rules are dear, what is lost.",
    ),
    (
        Panel(
            ("Chậm", "Behind"),
            ("Số giây từ lần cuối mỗi phần làm xong mọi việc.", "Seconds since each part had done everything."),
            "time",
            "s",
            "/",
            (
                Ask("max(soc_detector_behind_seconds)", "detector"),
                Ask("max(soc_observer_behind_seconds)", "observer"),
                Ask("max(soc_indexer_behind_seconds)", "indexer"),
            ),
        ),
        Panel(
            ("Sự kiện mỗi giây", "Events a second"),
            ("Đã thu, đã xét, đã quan sát, đã lập chỉ mục.", "Collected, examined, observed, indexed."),
            "time",
            "ops",
            "/sources",
            (
                Ask("sum(rate(soc_collector_events_total[$__rate_interval]))", "thu · collected"),
                Ask("sum(rate(soc_detector_events_total[$__rate_interval]))", "xét · examined"),
                Ask("sum(rate(soc_observer_events_total[$__rate_interval]))", "quan sát · observed"),
                Ask("sum(rate(soc_indexer_events_total[$__rate_interval]))", "chỉ mục · indexed"),
            ),
        ),
        Panel(
            ("Tuổi của sự kiện mới nhất", "Age of the newest event"),
            ("Đồng hồ trừ giờ của sự kiện mới nhất đã xét.", "Wall clock minus the time of the newest event examined."),
            "stat",
            "s",
            "/sources",
            (Ask("max(soc_detector_lag_seconds)"),),
            (120, 600),
        ),
        Panel(
            ("Quy tắc đang chạy", "Rules that run"),
            ("Quy tắc đang chạy.", "Rules that run."),
            "stat",
            "short",
            "/rules",
            (Ask("max(soc_detector_rules)"),),
        ),
        Panel(
            ("Lỗi của quy tắc", "Faults of rules"),
            ("Quy tắc không nạp được, bị dừng hoặc bị mù.", "Rules not loaded, stopped, or blind."),
            "stat",
            "short",
            "/rules",
            (Ask("max(soc_detector_rule_faults)"),),
            (1, 5),
        ),
        Panel(
            ("Nhật ký sự kiện", "Event log"),
            ("Phần đã đầy của giới hạn.", "How full it is."),
            "stat",
            "percentunit",
            "/sources",
            (Ask("max(soc_collector_log_bytes / (soc_collector_log_most_bytes > 0))"),),
            (0.8, 0.95),
        ),
        Panel(
            ("Dung lượng", "Bytes"),
            ("Nhật ký sự kiện, và chỗ trống trên đĩa.", "The event log, and what is free on its disk."),
            "time",
            "bytes",
            "/sources",
            (
                Ask("max(soc_collector_log_bytes)", "nhật ký · log"),
                Ask("max(soc_collector_log_free_bytes)", "trống · free"),
            ),
        ),
        Panel(
            ("Chi phí quy tắc", "Cost of rules"),
            (
                "CPU cho một sự kiện của mười quy tắc tốn nhất, đo riêng.",
                "CPU for one event of the ten dearest rules, each alone.",
            ),
            "bar",
            "s",
            "/rules",
            (Ask("topk(10, soc_detector_rule_cost_seconds)", "{{rule}}"),),
            empty="costs are sampled of one event in a thousand, and told every two minutes",
        ),
        Panel(
            ("Một lô", "A batch"),
            (
                "p95 của thời gian xử lý một lô và của lần ghi.",
                "p95 of the time for a batch and for a commit of the observer.",
            ),
            "time",
            "s",
            "/",
            tuple(
                Ask(f"histogram_quantile(0.95, sum by (le) (rate({metric}_bucket[5m])))", legend)
                for metric, legend in (
                    ("soc_detector_step_seconds", "detector"),
                    ("soc_observer_commit_seconds", "observer"),
                    ("soc_indexer_request_seconds", "indexer"),
                )
            ),
        ),
        Panel(
            ("Muộn, trùng, bị bỏ", "Late, duplicate, left out"),
            (
                "Sự kiện muộn, trùng lặp, và bị giới hạn bỏ ra.",
                "Events that were late, there already, or beyond a bound.",
            ),
            "time",
            "short",
            "/rules",
            (
                Ask("sum(increase(soc_detector_late_events_total[5m]))", "muộn · late"),
                Ask(
                    "sum(increase(soc_detector_correlated_late_events_total[5m]))",
                    "muộn, tương quan · late, correlated",
                ),
                Ask("sum(increase(soc_observer_late_events_total[5m]))", "muộn, chuỗi · late, series"),
                Ask("sum(increase(soc_collector_duplicates_total[5m]))", "trùng · duplicate"),
                Ask("sum(increase(soc_indexer_duplicates_total[5m]))", "trùng, chỉ mục · duplicate, indexed"),
                Ask("sum(increase(soc_detector_capped_events_total[5m]))", "nhóm đầy · group full"),
                Ask("sum(increase(soc_detector_crowded_events_total[5m]))", "quá nhiều nhóm · too many groups"),
            ),
        ),
        Panel(
            ("Lỗi và thử lại", "Failures and retries"),
            ("Việc không thành và được thử lại, mỗi 5 phút.", "What failed and was tried again, in 5 minutes."),
            "time",
            "short",
            "/",
            tuple(
                Ask(f"sum(increase({metric}[5m]))", metric.removeprefix("soc_").removesuffix("_total"))
                for metric in (
                    "soc_detector_step_failures_total",
                    "soc_detector_reload_failures_total",
                    "soc_detector_tuning_failures_total",
                    "soc_detector_canary_failures_total",
                    "soc_observer_step_failures_total",
                    "soc_indexer_retries_total",
                    "soc_indexer_refused_total",
                    "soc_indexer_failures_total",
                    "soc_collector_reader_failures_total",
                    "soc_collector_control_failures_total",
                    "soc_sources_watch_failures_total",
                    "soc_api_notifier_failures_total",
                    "soc_api_live_failures_total",
                    "soc_api_figures_failures_total",
                )
            ),
        ),
        Panel(
            ("Quy tắc còn sống", "Proof of life"),
            ("Quy tắc theo kết quả của sự kiện chứng minh gần nhất.", "Rules by what their last canary says."),
            "bar",
            "short",
            "/rules",
            (Ask("sum by (life) (soc_detector_canaries)", "{{life}}"),),
            empty="the first canaries are sent a minute after the start",
        ),
        Panel(
            ("Phát hiện", "Findings"),
            ("Phát hiện mỗi phút: quy tắc, bất thường, đối tượng.", "Findings a minute: rules, anomalies, entities."),
            "time",
            "short",
            "/alerts",
            (
                Ask("60 * sum(rate(soc_detector_findings_total[5m]))", "quy tắc · rules"),
                Ask("60 * sum(rate(soc_observer_findings_total[5m]))", "bất thường · anomalies"),
                Ask("60 * sum(rate(soc_observer_unusual_total[5m]))", "đối tượng · entities"),
            ),
        ),
        Panel(
            ("API", "API"),
            ("p95 của thời gian trả lời, và số lần đăng nhập.", "p95 of the time to answer, by method."),
            "time",
            "s",
            "/audit",
            (
                Ask(
                    "histogram_quantile(0.95, sum by (le, method) (rate(soc_api_request_seconds_bucket[5m])))",
                    "{{method}}",
                    exemplars=True,
                ),
            ),
        ),
        Panel(
            ("Đăng nhập", "Sign-ins"),
            ("Lần đăng nhập mỗi 5 phút theo kết quả.", "Sign-ins in 5 minutes by outcome."),
            "time",
            "short",
            "/audit",
            (Ask("sum by (outcome) (increase(soc_api_sign_ins_total[5m]))", "{{outcome}}"),),
            empty="nobody signs in on the demo while the test looks",
        ),
        Panel(
            ("Ngày đã xoá", "Days deleted"),
            (
                "Ngày nhật ký bị xoá theo lý do, một ngày qua.",
                "Days of the event log that retention deleted, by reason.",
            ),
            "bar",
            "short",
            "/sources",
            (Ask("sum by (reason) (increase(soc_collector_retention_days_total[1d]))", "{{reason}}"),),
            empty="nothing is old enough on the demo",
        ),
    ),
)
