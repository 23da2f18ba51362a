//! The Prometheus page.
//!
//! In: finished requests, reloads, gauges. Out: text. Must not know: decisions, sockets.
//!
//! Every label comes from the policy, or from a closed list, so a caller cannot grow the page. The one exception, the model an
//! answer names, is bounded by [`SERVED_LIMIT`].

use parking_lot::Mutex;
use prometheus::{
    CounterVec, Encoder, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};
use rustc_hash::FxHashSet;

use super::record::{AttemptRecord, Outcome, Record};

/// Different served model names kept apart; later ones are counted as `other`.
const SERVED_LIMIT: usize = 256;

/// Seconds; from a loopback answer to the longest stream.
const BUCKETS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0];
/// Seconds; what Wayside itself adds.
const FINE_BUCKETS: &[f64] =
    &[0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1];

/// Every metric of this process.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    refused: IntCounterVec,
    attempts: IntCounterVec,
    attempt_seconds: HistogramVec,
    fallbacks: IntCounterVec,
    degraded: IntCounterVec,
    cache: IntCounterVec,
    /// Tickets by queue, and where they are.
    pub tickets: IntCounterVec,
    /// Tickets sent elsewhere by queue, and whether they were taken.
    pub deliveries: IntCounterVec,
    /// Tickets that wait for a person.
    pub tickets_waiting: IntGauge,
    seconds: HistogramVec,
    first_token: HistogramVec,
    tokens: IntCounterVec,
    cost: CounterVec,
    served: IntCounterVec,
    served_seen: Mutex<FxHashSet<String>>,
    drift: IntCounterVec,
    breaker_open: IntGaugeVec,
    breaker_opened: IntCounterVec,
    /// Time from a complete request to the first upstream byte sent, and back; not the provider's time.
    pub overhead: Histogram,
    /// Requests in work.
    pub in_flight: IntGauge,
    /// Requests that wait for a place among them.
    pub waiting: IntGauge,
    /// Open connections from callers.
    pub connections: IntGauge,
    /// Loads of policy and configuration by result: `ok`, `rejected`.
    pub reloads: IntCounterVec,
    policy: IntGaugeVec,
    retires: GaugeVec,
    /// Log lines that could not be written.
    pub lines_lost: IntCounter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All at zero.
    // Longer than a screen: one list of names and help texts, the page's table of contents.
    pub fn new() -> Self {
        let registry = Registry::new();
        let counters = |name: &str, help: &str, labels: &[&str]| {
            register(&registry, IntCounterVec::new(Opts::new(name, help), labels))
        };
        let histograms = |name: &str, help: &str, labels: &[&str]| {
            let options = HistogramOpts::new(name, help).buckets(BUCKETS.to_vec());
            register(&registry, HistogramVec::new(options, labels))
        };
        let gauge = |name: &str, help: &str| register(&registry, IntGauge::new(name, help));
        let overhead =
            HistogramOpts::new("wayside_overhead_seconds", "Time spent in Wayside before the first attempt starts")
                .buckets(FINE_BUCKETS.to_vec());
        let metrics = Self {
            requests: counters(
                "wayside_requests_total",
                "Requests that reached a rule, by how they ended",
                &["rule", "tier", "snapshot", "outcome"],
            ),
            refused: counters("wayside_refused_total", "Requests refused before any rule", &["reason"]),
            attempts: counters(
                "wayside_attempts_total",
                "Attempts by snapshot, kind (first, retry, hedge, probe) and result",
                &["snapshot", "kind", "result"],
            ),
            attempt_seconds: histograms(
                "wayside_attempt_seconds",
                "From the start of an attempt to its end",
                &["snapshot", "result"],
            ),
            fallbacks: counters("wayside_fallbacks_total", "Answers from a later hop", &["rule", "from", "to"]),
            degraded: counters("wayside_degraded_total", "Answers from the degraded path", &["rule", "step"]),
            cache: counters(
                "wayside_cache_total",
                "Requests of rules with a cache: hit, miss, stale",
                &["rule", "result"],
            ),
            tickets: counters(
                "wayside_tickets_total",
                "Tickets for people: `delivered` elsewhere, `kept` on this disk, `delivered_later` from there, or why not",
                &["queue", "result"],
            ),
            deliveries: counters(
                "wayside_ticket_deliveries_total",
                "Tickets for a webhook or a stream: `delivered`, or why not; those go to this disk",
                &["queue", "result"],
            ),
            tickets_waiting: gauge("wayside_tickets_waiting", "Tickets on this disk, as last counted"),
            seconds: histograms(
                "wayside_request_seconds",
                "From admission to the last byte",
                &["snapshot", "streaming"],
            ),
            first_token: histograms(
                "wayside_first_token_seconds",
                "From admission to the first content event",
                &["snapshot"],
            ),
            tokens: counters("wayside_tokens_total", "Tokens of all attempts", &["snapshot", "kind"]),
            cost: register(
                &registry,
                CounterVec::new(
                    Opts::new("wayside_cost_usd_total", "Cost of all attempts in US dollars"),
                    &["rule", "tenant", "feature"],
                ),
            ),
            served: counters(
                "wayside_served_model_total",
                "Answers by configured snapshot and the model they name",
                &["configured", "served"],
            ),
            served_seen: Mutex::default(),
            drift: counters("wayside_drift_total", "Answers that name another model than the pin", &["snapshot"]),
            breaker_open: register(
                &registry,
                IntGaugeVec::new(
                    Opts::new("wayside_breaker_open", "1 while a snapshot's breaker is open or probed"),
                    &["snapshot"],
                ),
            ),
            breaker_opened: counters(
                "wayside_breaker_opened_total",
                "Times a snapshot's breaker opened, failed probes included",
                &["snapshot"],
            ),
            overhead: register(&registry, Histogram::with_opts(overhead)),
            in_flight: gauge("wayside_requests_in_flight", "Requests in work"),
            waiting: gauge("wayside_requests_waiting", "Requests that wait for a place among those in work"),
            connections: gauge("wayside_connections", "Open connections from callers"),
            reloads: counters("wayside_reloads_total", "Loads of policy and configuration", &["result"]),
            policy: register(
                &registry,
                IntGaugeVec::new(Opts::new("wayside_policy_info", "The policy in force"), &["policy", "hash"]),
            ),
            retires: register(
                &registry,
                GaugeVec::new(
                    Opts::new(
                        "wayside_snapshot_retires_days",
                        "Days until the announced end of a snapshot in the policy",
                    ),
                    &["snapshot"],
                ),
            ),
            lines_lost: register(
                &registry,
                IntCounter::new("wayside_log_lines_lost_total", "Request log lines that could not be written"),
            ),
            registry,
        };
        #[cfg(target_os = "linux")]
        {
            let process = prometheus::process_collector::ProcessCollector::for_self();
            // A second collector of the same names is the only way to fail, and the registry is new.
            let _ = metrics.registry.register(Box::new(process));
        }
        metrics
    }

    /// The policy now in force, and days until each of its snapshots ends.
    pub fn policy(&self, name: &str, hash: &str, retires: impl Iterator<Item = (String, f64)>) {
        self.policy.reset();
        self.policy.with_label_values(&[name, hash]).set(1);
        self.retires.reset();
        for (snapshot, days) in retires {
            self.retires.with_label_values(&[&snapshot]).set(days);
        }
    }

    /// Counts a request that was refused before there was anything to record.
    pub fn refused(&self, reason: &str) {
        self.refused.with_label_values(&[reason]).inc();
    }

    /// The breakers of the snapshots now in force, and whether they are open.
    pub fn breakers<'a>(&self, open: impl Iterator<Item = (&'a str, bool)>) {
        self.breaker_open.reset();
        for (snapshot, open) in open {
            self.breaker_open.with_label_values(&[snapshot]).set(i64::from(open));
        }
    }

    /// A snapshot's breaker opened or closed.
    pub fn breaker(&self, snapshot: &str, opened: bool) {
        self.breaker_open.with_label_values(&[snapshot]).set(i64::from(opened));
        if opened {
            self.breaker_opened.with_label_values(&[snapshot]).inc();
        }
    }

    /// Counts a finished request.
    pub fn count(&self, record: &Record<'_>) {
        record.attempts.iter().for_each(|attempt| self.count_attempt(attempt));
        let Some(rule) = record.rule else {
            let reason =
                if record.outcome == Outcome::ClientGone { "client_gone" } else { record.reason.unwrap_or("unknown") };
            self.refused.with_label_values(&[reason]).inc();
            return;
        };
        let snapshot = record.snapshot.unwrap_or("none");
        let labels = [rule, record.tier.unwrap_or("none"), snapshot, record.outcome.word()];
        self.requests.with_label_values(&labels).inc();
        let seconds = record.total_ms.0 as f64 / 1000.0;
        let streaming = if record.request.streaming { "yes" } else { "no" };
        self.seconds.with_label_values(&[snapshot, streaming]).observe(seconds);
        if let Some(step) = record.degraded {
            self.degraded.with_label_values(&[rule, step]).inc();
        }
        if let Some(result) = record.cache {
            self.cache.with_label_values(&[rule, result]).inc();
        }
        self.count_answer(record, rule, snapshot);
    }

    fn count_attempt(&self, attempt: &AttemptRecord<'_>) {
        let result = attempt.result();
        self.attempts.with_label_values(&[attempt.snapshot, attempt.kind(), result]).inc();
        let seconds = attempt.duration_ms.0 as f64 / 1000.0;
        self.attempt_seconds.with_label_values(&[attempt.snapshot, result]).observe(seconds);
        let Some(usage) = &attempt.usage else { return };
        for (kind, count) in [
            ("input", usage.input_uncached),
            ("cache_read", usage.cache_read),
            ("cache_write", usage.cache_write),
            ("output", usage.output),
        ] {
            if count > 0 {
                self.tokens.with_label_values(&[attempt.snapshot, kind]).inc_by(count);
            }
        }
    }

    fn count_answer(&self, record: &Record<'_>, rule: &str, snapshot: &str) {
        if let (Some(first), Some(hop)) = (record.chain.first(), record.hop)
            && hop > first.hop
        {
            self.fallbacks.with_label_values(&[rule, first.snapshot, snapshot]).inc();
        }
        if let Some(first_token) = record.first_token_ms {
            self.first_token.with_label_values(&[snapshot]).observe(first_token.0 as f64 / 1000.0);
        }
        if let Some(cost) = record.cost_usd {
            let feature = record.request.feature.unwrap_or("none");
            self.cost.with_label_values(&[rule, record.request.tenant_label, feature]).inc_by(cost.dollars());
        }
        if let Some(served) = record.served_model {
            self.served.with_label_values(&[snapshot, self.bounded(served)]).inc();
        }
        if record.drift {
            self.drift.with_label_values(&[snapshot]).inc();
        }
    }

    fn bounded<'a>(&self, served: &'a str) -> &'a str {
        let mut seen = self.served_seen.lock();
        if seen.contains(served) {
            return served;
        }
        if seen.len() >= SERVED_LIMIT {
            return "other";
        }
        seen.insert(served.to_owned());
        served
    }

    /// The page in Prometheus text format.
    pub fn page(&self) -> String {
        let mut page = Vec::new();
        // Writing to memory cannot fail; a metric that cannot be encoded is left out.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut page);
        String::from_utf8_lossy(&page).into_owned()
    }
}

#[expect(clippy::expect_used, reason = "names and labels are literals of this file, and a test makes them all")]
fn register<M: prometheus::core::Collector + Clone + 'static>(registry: &Registry, metric: prometheus::Result<M>) -> M {
    let metric = metric.expect("a valid metric name");
    registry.register(Box::new(metric.clone())).expect("a name used once");
    metric
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_every_metric_once() {
        let metrics = Metrics::new();
        metrics.policy("support", "sha256:1", [("openai/x".to_owned(), 12.0)].into_iter());
        metrics.reloads.with_label_values(&["ok"]).inc();
        let page = metrics.page();
        for line in [
            "wayside_policy_info{hash=\"sha256:1\",policy=\"support\"} 1",
            "wayside_snapshot_retires_days{snapshot=\"openai/x\"} 12",
            "wayside_reloads_total{result=\"ok\"} 1",
            "wayside_requests_in_flight 0",
        ] {
            assert!(page.contains(line), "{line}\n--- in\n{page}");
        }
    }

    #[test]
    fn served_names_stop_at_their_limit() {
        let metrics = Metrics::new();
        for n in 0..SERVED_LIMIT {
            let name = format!("m{n}");
            assert_eq!(metrics.bounded(&name), name);
        }
        assert_eq!(metrics.bounded("m0"), "m0");
        assert_eq!(metrics.bounded("one more"), "other");
    }
}
