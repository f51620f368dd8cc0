package daemon

// Metric is one metric as people read of it. A test scrapes a daemon and
// compares.
type Metric struct {
	Name string // with its labels' names
	Kind string // counter, gauge or histogram
	Doc  string
}

// AllMetrics lists what /metrics shows of Steno itself, in the order of the
// flow. Those of the Go process come on top. Where there are several orgs, each of
// them has the label org too, and in a cluster org and partition, except for the
// last ones, which are only then there.
func AllMetrics() []Metric {
	return []Metric{
		{"steno_unready{why}", "gauge", "1 for each reason not to be ready that holds, as in /readyz"},
		{"steno_connections", "gauge", "connections of engines"},
		{"steno_calls_active", "gauge", "calls with a stream that is open or may come back"},
		{"steno_ingest_connections_refused_total{why}", "counter", "connections turned away before they began"},
		{"steno_ingest_nacks_total{code}", "counter", "messages answered with a nack"},
		{"steno_ingest_ignored_total{why}", "counter", "messages of an unknown type, and fields of an unknown name"},
		{"steno_ingest_partials_total", "counter", "partials; they go to the monitor page only"},
		{"steno_ingest_engine_utterances_total{dialect}", "counter", "utterances made of engines' own messages"},
		{"steno_ingest_engine_partials_total{dialect}", "counter", "partials of engines"},
		{"steno_ingest_engine_ignored_total{dialect}", "counter", "engines' messages of an unknown type, or malformed"},
		{"steno_ingest_engine_failures_total{dialect}", "counter", "failures that engines have reported"},
		{"steno_ingest_revisions_total{dialect}", "counter", "changes of what was final, which came too late"},
		{"steno_utterances_duplicate_total", "counter", "utterances that had been accepted before, and were dropped"},
		{"steno_utterances_accepted_total", "counter", "utterances acknowledged; = delivered + rejected + pending in every scrape"},
		{"steno_utterances_pending", "gauge", "utterances accepted and not settled"},
		{"steno_oldest_pending_seconds", "gauge", "age of the oldest of them; 0: there is none"},
		{"steno_spool_bytes", "gauge", "size of their messages"},
		{"steno_spool_disk_bytes", "gauge", "size of the spool on the disk, what is settled and not yet gone included; 0 in memory"},
		{"steno_spool_max_bytes", "gauge", "what it may take there: STENO_SPOOL_MAX_BYTES; 0 in memory"},
		{"steno_spool_recovered_utterances", "gauge", "utterances found waiting at the start; those in flight when the last daemon was killed may be sent twice"},
		{"steno_spool_damaged_utterances", "gauge", "acknowledged utterances that the disk has lost"},
		{"steno_spool_store_errors_total", "counter", "errors that JetStream has logged"},
		{"steno_spool_sync_seconds", "histogram", "time to make a frame of utterances safe"},
		{"steno_spool_frame_utterances", "histogram", "utterances a frame"},
		{"steno_spool_frame_bytes", "histogram", "size of a frame"},
		{"steno_batch_messages", "histogram", "utterances a request"},
		{"steno_requests_total{endpoint,outcome}", "counter", "transcript requests, by what came of them"},
		{"steno_request_seconds", "histogram", "duration of a transcript request"},
		{"steno_added_latency_seconds", "histogram", "utterance read from the socket → first request written"},
		{"steno_delivery_latency_seconds", "histogram", "utterance read from the socket → accepted by Salesforce"},
		{"steno_speech_latency_seconds", "histogram", "the utterance's endTime → accepted by Salesforce"},
		{"steno_stage_seconds{stage}", "histogram", "where the time of an utterance went that Salesforce has accepted: engine, spool, company, lane, held, salesforce; they add up"},
		{"steno_console_latency_seconds{org,dialect}", "histogram", "end of speech → accepted by Salesforce, the error of the engine's clock taken off"},
		{"steno_engine_skew_seconds{dialect}", "gauge", "by how much the worst clock of the dialect's engines is behind; below 0: ahead"},
		{"steno_probes_total{outcome}", "counter", "probes, delivered or lost"},
		{"steno_probe_seconds", "gauge", "what the last probe took from its being sent to Salesforce's acceptance; NaN: it was lost, or there was none"},
		{"steno_calls_one_sided", "gauge", "calls with a side that has been silent for two minutes while the other spoke"},
		{"steno_utterances_delivered_total", "counter", "utterances accepted by Salesforce"},
		{"steno_utterances_rejected_total{reason}", "counter", "utterances given up, by reason"},
		{"steno_deadletters", "gauge", "rejected utterances that are kept"},
		{"steno_deadletters_bytes", "gauge", "what they take"},
		{"steno_deadletters_retried_total", "counter", "of them, those that were accepted once more"},
		{"steno_deadletters_dropped_total{why}", "counter", "of them, those that were dropped: for their age, for their size, or by an operator"},
		{"steno_utterances_repeated_total", "counter", "utterances sent again"},
		{"steno_utterances_ambiguous_total", "counter", "of these, those that may have been stored the first time"},
		{"steno_utterances_late_total", "counter", "utterances sent seconds after their call had ended, or when they were older than STENO_BATCH_END_GRACE: Salesforce may have dropped them"},
		{"steno_api_requests_remaining", "gauge", "what is left of the org's daily API requests; NaN until Salesforce has told"},
		{"steno_api_share_remaining", "gauge", "what is left of our share of them, STENO_API_RESERVE and the use of others taken off; NaN until something is known"},
		{"steno_api_runs_out_seconds", "gauge", "when our share is used up at the pace of the last minutes; +Inf: not within a day"},
		{"steno_batch_wait_seconds", "gauge", "how long an utterance may wait for company: above STENO_BATCH_MAX_WAIT while the day's requests are short"},
		{"steno_orgs_failed", "gauge", "orgs of STENO_ORGS_FILE that nothing works for; this and the next two only with that file"},
		{"steno_orgs_reloads_total{outcome}", "counter", "how often the file was read again, and was applied or faulty"},
		{"steno_orgs_reloaded_timestamp_seconds", "gauge", "when it was last applied, in seconds since the epoch"},
		{"steno_cluster_members", "gauge", "daemons of the cluster that live, as this one sees it; this and those below only in a cluster"},
		{"steno_cluster_partitions_owned", "gauge", "partitions that this daemon works on"},
		{"steno_cluster_partitions_unowned", "gauge", "partitions that no daemon works on at the moment: their calls are acknowledged nothing"},
		{"steno_cluster_fenced", "gauge", "1: this daemon may do nothing, as its heartbeat did not get through in time"},
		{"steno_cluster_connections", "gauge", "connections of engines at this daemon's doors; steno_connections counts them where their calls are worked on"},
		{"steno_cluster_partitions_opened_total", "counter", "partitions that this daemon has taken over"},
		{"steno_cluster_recovered_utterances_total", "counter", "utterances found waiting where the last owner has not handed over: of them, those that it had in flight are sent again and may be stored twice"},
	}
}
