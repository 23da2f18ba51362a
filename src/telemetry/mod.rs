//! What happened, for operators: one line for each request, and metrics.
//!
//! In: one [`Record`] for each request; reloads, connections. Out: JSON lines and the Prometheus page. Must not know: how
//! decisions are made.

mod lines;
mod log_line;
mod metrics;
mod record;

pub use lines::{LineLog, Sink};
pub use metrics::Metrics;
pub use prometheus::IntGauge as Gauge;
pub use record::{AttemptRecord, Facts, HopRecord, Outcome, Record};

use std::sync::Arc;

/// Everything that counts and writes.
pub struct Telemetry {
    /// The Prometheus page.
    pub metrics: Metrics,
    lines: LineLog,
}

impl Telemetry {
    /// Counters at zero, lines to `sink`.
    pub fn new(sink: Sink) -> std::io::Result<Arc<Self>> {
        let metrics = Metrics::new();
        let lines = LineLog::start(sink, metrics.lines_lost.clone())?;
        Ok(Arc::new(Self { metrics, lines }))
    }

    /// Counts a finished request and writes its line. Never waits for a disk.
    pub fn record(&self, record: &Record<'_>) {
        self.metrics.count(record);
        self.lines.write(|line| record.write(line));
    }

    /// Writes what is still in memory; for the end of a process.
    pub fn flush(&self) {
        self.lines.flush();
    }

    /// Counters of requests that are taken up, and of those in work.
    pub fn page(&self) -> String {
        self.metrics.page()
    }
}
