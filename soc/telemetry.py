"""Every metric: name, type, meaning, in one table. Names are `soc_<part>_<what>_<unit>`; label values come from bounded sets."""

from __future__ import annotations

import time

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

# Nobody asks when a counter was made, and it would be a second series beside each.
disable_created_metrics()  # type: ignore[no-untyped-call]  # of the library


class Total(Counter):
    """A counter of what a part counts for itself: it is told how far that has come, and that may begin anew."""

    def _metric_init(self) -> None:
        super()._metric_init()
        self._reached = 0.0

    def reached(self, total: float) -> None:
        self.inc(total - self._reached if total >= self._reached else total)
        self._reached = total


class Behind(Gauge):
    """Seconds since a part had done all that there was to do. The part says when, so one that hangs falls behind, too; 0 in a process
    where it does not run."""

    def _metric_init(self) -> None:
        super()._metric_init()
        self._done_at: float | None = None
        self.set_function(lambda: 0.0 if self._done_at is None else time.monotonic() - self._done_at)

    def caught_up(self) -> None:
        """Call it when the part begins to work, too."""
        self._done_at = time.monotonic()


# Collector
RECORDS = Counter("soc_collector_records_total", "Records delivered by a transport.", ["transport"])
EVENTS = Total("soc_collector_events_total", "Events newly stored in the event log.")
DUPLICATES = Total("soc_collector_duplicates_total", "Events that the event log had already.")
DEAD_LETTERS = Counter(
    "soc_collector_dead_letters_total", "Records that could not be parsed and are kept as dead letters."
)
DROPPED = Total("soc_collector_dropped_total", "UDP datagrams lost because a queue was full.", ["where"])
SYSLOG = Total(
    "soc_collector_syslog_total", "Messages of unknown senders; connections refused, closed and misframed.", ["what"]
)
PUSH_ANSWERS = Counter("soc_collector_push_answers_total", "Answers to push requests, by HTTP status.", ["status"])
READER_FAILURES = Total("soc_collector_reader_failures_total", "Times that a reader failed and was started again.")
CONTROL_FAILURES = Counter(
    "soc_collector_control_failures_total",
    "Times that asking a server for the sources failed for no reason that is foreseen.",
)
LOG_BYTES = Gauge("soc_collector_log_bytes", "Bytes of the event log.")
LOG_MOST_BYTES = Gauge("soc_collector_log_most_bytes", "Bytes of the event log beyond which sources are slowed down.")
LOG_FREE_BYTES = Gauge("soc_collector_log_free_bytes", "Bytes free on the disk of the event log.")
LOG_LEAST_FREE_BYTES = Gauge(
    "soc_collector_log_least_free_bytes", "Bytes to be left free there: below that sources are slowed down."
)
RETENTION_DAYS = Counter("soc_collector_retention_days_total", "Day files deleted by retention.", ["reason"])

# What the systems do, as the collector reads it (`collector.traffic`). `unit`: ministry or province
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30)
TRAFFIC = Counter(
    "soc_traffic_events_total",
    "Events as read, also those sent again, by ministry or province and type of log.",
    ["unit", "dataset"],
)
TRAFFIC_OTHER = Counter(
    "soc_traffic_other_total", "Values that were counted as `other`, as a label had no room for them."
)
PORTAL = Counter("soc_portal_requests_total", "Requests to portals, by class of status.", ["unit", "status"])
PORTAL_SECONDS = Histogram(
    "soc_portal_request_seconds", "Time that portals took to answer.", ["unit"], buckets=_SECONDS
)
OTP = Counter("soc_otp_events_total", "Steps of one-time codes, and what came of them.", ["unit", "event", "outcome"])
OTP_CARRIER = Counter("soc_otp_receipts_total", "Final receipts of one-time codes.", ["carrier", "outcome"])
LGSP = Counter("soc_lgsp_calls_total", "Calls through LGSP platforms.", ["unit", "outcome"])
LGSP_SERVICE = Counter("soc_lgsp_service_calls_total", "The same by service.", ["service", "outcome"])
LGSP_SECONDS = Histogram("soc_lgsp_call_seconds", "Time that services took to answer.", ["service"], buckets=_SECONDS)

CERTIFICATE = Gauge(
    "soc_probe_certificate_left_seconds", "Time until the first of the probed certificates ends.", ["unit"]
)

# Detector
DETECTED = Counter("soc_detector_events_total", "Events that went through the rules.")
FINDINGS = Counter("soc_detector_findings_total", "Findings stored.")
ALERTS = Counter("soc_detector_alerts_total", "Alerts raised, by level.", ["level"])
HIDDEN = Counter("soc_detector_hidden_findings_total", "Findings that an exception kept from being stored.")
TESTED = Counter("soc_detector_test_findings_total", "Findings stored of rules in test, out of the queue.")
TUNED = Gauge("soc_detector_tuning_versions", "Versions of policies in the tuning that the detector works with.")
TUNING_FAILURES = Counter(
    "soc_detector_tuning_failures_total", "Times that the store could not be asked what people laid down about rules."
)
LATE = Counter("soc_detector_late_events_total", "Events later than the allowed lateness behind their source.")
RULES = Gauge("soc_detector_rules", "Rules that run.")
RULE_FAULTS = Gauge("soc_detector_rule_faults", "What is wrong with rules, as the rules page shows it.")
RULES_SINCE = Gauge(
    "soc_detector_rules_taken_up_timestamp_seconds", "When the rules that run were taken up, in seconds since 1970."
)
RELOAD_FAILURES = Counter(
    "soc_detector_reload_failures_total",
    "Times that changed rules could not be taken up, so that those before went on.",
)
BROKEN_RULES = Gauge("soc_detector_broken_rules", "Rules stopped because they failed while running.")
RULE_COST = Gauge(
    "soc_detector_rule_cost_seconds",
    "CPU time that a rule takes for one event when it is evaluated alone: the ten that take most.",
    ["rule"],
)
CANARIES = Gauge(
    "soc_detector_canaries",
    "Rules by what their last canary says: alive, waiting, blind, hidden, unprovable, unfed.",
    ["life"],
)
CANARY_FAILURES = Counter("soc_detector_canary_failures_total", "Times that canaries could not be sent.")
UNREAD_FINDINGS = Counter(
    "soc_detector_unread_findings_total",
    "Files of what others have found that could not be read and are put aside as *.bad.",
)
READY = Gauge("soc_detector_ready", "1 once the rules are loaded and the detector reads the event log.")
CAPPED = Total("soc_detector_capped_events_total", "Events that correlations forgot because a group outgrew its bound.")
CROWDED = Total(
    "soc_detector_crowded_events_total", "Events that correlations left out because there were too many groups."
)
CORRELATED_LATE = Total(
    "soc_detector_correlated_late_events_total", "Events that reached a correlation later than allowed."
)
LAG = Gauge("soc_detector_lag_seconds", "Wall clock minus the time of the newest event that was examined.")
BEHIND = Behind(
    "soc_detector_behind_seconds", "Seconds since the detector had examined everything in the event log; 0 when it has."
)
STEP = Histogram("soc_detector_step_seconds", "Time to match, correlate and commit one batch.")
STEP_FAILURES = Counter("soc_detector_step_failures_total", "Batches that failed and were tried again.")

# Observer
OBSERVED = Counter("soc_observer_events_total", "Events that went into series.")
SERIES = Gauge("soc_observer_series", "Series that are followed.")
SERIES_BEYOND = Gauge(
    "soc_observer_series_beyond", "About how many more there would be, counted as other for want of room."
)
SERIES_LOST = Total(
    "soc_observer_late_events_total",
    "Events that no bucket took: too late, of an unknown bucket, no room for their ids or series, or a time not to be believed.",
)
SERIES_FAULTS = Gauge(
    "soc_observer_definition_faults", "What is wrong with definitions of series, of entities and of objectives."
)
ANOMALIES = Counter("soc_observer_findings_total", "Buckets of anomalies that were handed to the detector.")
UNUSUAL = Counter("soc_observer_unusual_total", "Times that an entity behaved unusually and was shown.")
ENTITIES = Gauge("soc_observer_entities", "Entities that are known.")
ENTITIES_BEYOND = Total(
    "soc_observer_entities_beyond_events_total", "Events of entities and organisations for which there was no room."
)
OBSERVER_LAG = Gauge("soc_observer_lag_seconds", "Wall clock minus the time of the newest event that went into series.")
OBSERVER_BEHIND = Behind(
    "soc_observer_behind_seconds", "Seconds since everything in the event log went into series; 0 when it has."
)
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
LEVELS = Gauge("soc_observer_levels", "Objectives of organisations of which anything was counted.")
LEVELS_SHOWN = Gauge(
    "soc_observer_levels_shown", "How many of them have metrics of their own: beyond 500 only those that burn."
)
LEVEL_BURNING = Gauge("soc_observer_levels_burning", "Systems of organisations whose budget burns.", ["severity"])
LEVEL_AHEAD = Total(
    "soc_observer_levels_ahead_events_total", "Events that no objective counts: their clock is hours ahead."
)

# Indexer (a thread of the detector process, where the store is Elasticsearch)
INDEXED = Counter("soc_indexer_events_total", "Events that the store acknowledged and did not have before.")
INDEXER_DUPLICATES = Counter("soc_indexer_duplicates_total", "Events that the store had already.")
INDEXER_REFUSED = Counter("soc_indexer_refused_total", "Events that the store refused, kept there as dead letters.")
INDEXER_RETRIES = Counter("soc_indexer_retries_total", "Events that the store could not take and that were sent again.")
INDEXER_REQUEST = Histogram("soc_indexer_request_seconds", "Time until the store answers a bulk request.")
INDEXER_FAILURES = Counter("soc_indexer_failures_total", "Times that the indexer failed and was started again.")
INDEXER_BEHIND = Behind(
    "soc_indexer_behind_seconds",
    "Seconds since the indexer had handed over everything in the event log; 0 when it has.",
)

# Sources (a thread of the API process)
WATCH_FAILURES = Counter("soc_sources_watch_failures_total", "Times that looking for silent sources failed.")

# What there is to do and how things stand (`soc.service.figures`, a thread of the API process)
ALERTS_OPEN = Gauge("soc_alerts_open", "Alerts that are not closed.", ["unit", "level"])
ALERTS_OLD = Gauge("soc_alerts_open_older", "Those of them that were raised longer ago than this.", ["than"])
ALERTS_CLOSED = Gauge("soc_alerts_closed", "Closed alerts by verdict.", ["verdict"])
RULE_ALERTS = Gauge("soc_rule_alerts", "Alerts of the last day, of the rules with most.", ["rule", "title", "logs"])
INCIDENTS_OPEN = Gauge("soc_incidents_open", "Incidents that are open, by the units that they touch.", ["unit"])
SOURCES = Gauge("soc_sources", "Sources by how they are doing.", ["unit", "state"])
FIGURES_FAILURES = Counter("soc_api_figures_failures_total", "Times that these figures could not be asked for.")

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
NOTIFICATIONS_PENDING = Gauge("soc_api_notifications_pending", "Deliveries that are still to be sent.")
NOTIFIER_FAILURES = Counter(
    "soc_api_notifier_failures_total", "Times that notifying failed for no reason that is foreseen."
)
SIGN_INS = Counter("soc_api_sign_ins_total", "Attempts to sign in.", ["outcome"])
