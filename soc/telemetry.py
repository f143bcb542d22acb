"""Every metric: name, type, meaning, in one table. Names are `soc_<part>_<what>_<unit>`; label values come from bounded sets."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

# Collector
RECORDS = Counter("soc_collector_records_total", "Records delivered by a transport.", ["transport"])
# Those without `_total` count since the process started, but are set from the parts' own counters.
EVENTS = Gauge("soc_collector_events_count", "Events newly stored in the event log.")
DUPLICATES = Gauge("soc_collector_duplicates_count", "Events that the event log had already.")
DEAD_LETTERS = Counter(
    "soc_collector_dead_letters_total", "Records that could not be parsed and are kept as dead letters."
)
DROPPED = Gauge("soc_collector_dropped_count", "UDP datagrams lost because a queue was full.", ["where"])
SYSLOG = Gauge(
    "soc_collector_syslog_count", "Messages of unknown senders; connections refused, closed and misframed.", ["what"]
)
PUSH_ANSWERS = Counter("soc_collector_push_answers_total", "Answers to push requests, by HTTP status.", ["status"])
READER_FAILURES = Gauge("soc_collector_reader_failures_count", "Times that a reader failed and was started again.")
CONTROL_FAILURES = Counter(
    "soc_collector_control_failures_total",
    "Times that asking a server for the sources failed for no reason that is foreseen.",
)
RETENTION_DAYS = Counter("soc_collector_retention_days_total", "Day files deleted by retention.", ["reason"])

# Detector
DETECTED = Counter("soc_detector_events_total", "Events that went through the rules.")
FINDINGS = Counter("soc_detector_findings_total", "Findings stored.")
ALERTS = Counter("soc_detector_alerts_total", "Alerts raised, by level.", ["level"])
HIDDEN = Counter("soc_detector_hidden_findings_total", "Findings that an exception kept from being stored.")
TESTED = Counter("soc_detector_test_findings_total", "Findings stored of rules in test, out of the queue.")
TUNED = Gauge("soc_detector_tuning_versions_count", "Versions of policies in the tuning that the detector works with.")
TUNING_FAILURES = Counter(
    "soc_detector_tuning_failures_total", "Times that the store could not be asked what people laid down about rules."
)
LATE = Counter("soc_detector_late_events_total", "Events later than the allowed lateness behind their source.")
RULES = Gauge("soc_detector_rules_count", "Rules that run.")
RULE_FAULTS = Gauge("soc_detector_rule_faults_count", "What is wrong with rules, as the rules page shows it.")
RULES_SINCE = Gauge("soc_detector_rules_since_seconds", "When the rules that run were taken up, in seconds since 1970.")
RELOAD_FAILURES = Counter(
    "soc_detector_reload_failures_total",
    "Times that changed rules could not be taken up, so that those before went on.",
)
BROKEN_RULES = Gauge("soc_detector_broken_rules_count", "Rules stopped because they failed while running.")
RULE_COST = Gauge(
    "soc_detector_rule_cost_seconds",
    "CPU time that a rule takes for one event when it is evaluated alone: the ten that take most.",
    ["rule"],
)
CANARIES = Gauge(
    "soc_detector_canaries_count",
    "Rules by what their last canary says: alive, waiting, blind, hidden, unprovable.",
    ["life"],
)
CANARY_FAILURES = Counter("soc_detector_canary_failures_total", "Times that canaries could not be sent.")
READY = Gauge("soc_detector_ready_count", "1 once the rules are loaded and the detector reads the event log.")
CAPPED = Gauge("soc_detector_capped_count", "Events that correlations forgot because a group outgrew its bound.")
CROWDED = Gauge("soc_detector_crowded_count", "Events that correlations left out because there were too many groups.")
CORRELATED_LATE = Gauge("soc_detector_correlated_late_count", "Events that reached a correlation later than allowed.")
LAG = Gauge("soc_detector_lag_seconds", "Wall clock minus the time of the newest event that was examined.")
STEP = Histogram("soc_detector_step_seconds", "Time to match, correlate and commit one batch.")
STEP_FAILURES = Counter("soc_detector_step_failures_total", "Batches that failed and were tried again.")

# Observer
OBSERVED = Counter("soc_observer_events_total", "Events that went into series.")
SERIES = Gauge("soc_observer_series_count", "Series that are followed.")
SERIES_BEYOND = Gauge(
    "soc_observer_series_beyond_count", "About how many more there would be, counted as other for want of room."
)
SERIES_LOST = Gauge(
    "soc_observer_late_events_count", "Events too late for any bucket, or with a time not to be believed."
)
SERIES_FAULTS = Gauge(
    "soc_observer_definition_faults_count", "What is wrong with definitions of series and of entities."
)
ANOMALIES = Counter("soc_observer_findings_total", "Buckets of anomalies that were handed to the detector.")
UNUSUAL = Counter("soc_observer_unusual_total", "Times that an entity behaved unusually and was shown.")
ENTITIES = Gauge("soc_observer_entities_count", "Entities that are known.")
ENTITIES_BEYOND = Gauge(
    "soc_observer_entities_beyond_count", "Events of entities and organisations for which there was no room."
)
OBSERVER_LAG = Gauge("soc_observer_lag_seconds", "Wall clock minus the time of the newest event that went into series.")
OBSERVER_COMMIT = Histogram("soc_observer_commit_seconds", "Time to commit.")
OBSERVER_FAILURES = Counter("soc_observer_step_failures_total", "Batches that failed and were tried again.")

LEVEL_GOOD = Gauge(
    "soc_observer_level_good_ratio", "Share of an objective's events of 28 days that were good.", ["org", "slo"]
)
LEVEL_BUDGET = Gauge(
    "soc_observer_level_budget_left_ratio",
    "Share of an objective's error budget that is left, below 0 when it is overdrawn.",
    ["org", "slo"],
)
LEVEL_BURN = Gauge(
    "soc_observer_level_burn_ratio",
    "How many times as fast as allowed an error budget burned in the last hour; NaN: nothing happened in it.",
    ["org", "slo"],
)
LEVELS = Gauge("soc_observer_levels_count", "Objectives of organisations of which anything was counted.")
LEVELS_SHOWN = Gauge(
    "soc_observer_levels_shown_count", "How many of them have metrics of their own: beyond 500 only those that burn."
)
LEVEL_BURNING = Gauge("soc_observer_levels_burning_count", "Systems of organisations whose budget burns.", ["severity"])
LEVEL_AHEAD = Gauge("soc_observer_levels_ahead_count", "Events that no objective counts: their clock is hours ahead.")

# Indexer (a thread of the detector process, where the store is Elasticsearch)
INDEXED = Counter("soc_indexer_events_total", "Events that the store acknowledged and did not have before.")
INDEXER_DUPLICATES = Counter("soc_indexer_duplicates_total", "Events that the store had already.")
INDEXER_REFUSED = Counter("soc_indexer_refused_total", "Events that the store refused, kept there as dead letters.")
INDEXER_RETRIES = Counter("soc_indexer_retries_total", "Events that the store could not take and that were sent again.")
INDEXER_REQUEST = Histogram("soc_indexer_request_seconds", "Time until the store answers a bulk request.")
INDEXER_FAILURES = Counter("soc_indexer_failures_total", "Times that the indexer failed and was started again.")
INDEXER_BEHIND = Gauge(
    "soc_indexer_behind_seconds",
    "Seconds since the indexer had handed over everything in the event log; 0 when it has.",
)

# Sources (a thread of the API process)
SILENT_SOURCES = Gauge("soc_sources_silent_count", "Sources that are silent for longer than is allowed.")
WATCH_FAILURES = Counter("soc_sources_watch_failures_total", "Times that looking for silent sources failed.")

# API
REQUESTS = Histogram("soc_api_request_seconds", "Time to answer a request.", ["method", "status"])
LIVE_FAILURES = Counter(
    "soc_api_live_failures_total", "Times that looking for new alerts failed for no reason that is foreseen."
)
_LONG_S = (60, 300, 900, 1800, 3600, 4 * 3600, 12 * 3600, 86_400, 3 * 86_400, 7 * 86_400)
ACKNOWLEDGED_AFTER = Histogram(
    "soc_api_time_to_acknowledge_seconds",
    "Time from raising an alert until somebody first takes it up or closes it.",
    ["level"],
    buckets=_LONG_S,
)
RESOLVED_AFTER = Histogram(
    "soc_api_time_to_resolve_seconds", "Time from raising an alert until it is closed.", ["level"], buckets=_LONG_S
)
NOTIFICATIONS = Counter(
    "soc_api_notifications_total", "Messages to the receivers of notifications.", ["channel", "outcome"]
)
NOTIFICATIONS_PENDING = Gauge("soc_api_notifications_pending_count", "Deliveries that are still to be sent.")
NOTIFIER_FAILURES = Counter(
    "soc_api_notifier_failures_total", "Times that notifying failed for no reason that is foreseen."
)
SIGN_INS = Counter("soc_api_sign_ins_total", "Attempts to sign in.", ["outcome"])
