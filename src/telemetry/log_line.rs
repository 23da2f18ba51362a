//! The JSON of a request's log line.
//!
//! In: a [`Record`]. Out: bytes. Must not know: where lines go.
//!
//! The line carries the whole decision: `wayside explain --replay` needs nothing else. What is absent did not happen, is not known,
//! or, of a count beside the four that make up a price, is 0.
//!
//! Why not serde: names looked up, quotes and commas handed over one by one made this line an eighth of a request's instructions.
//! Here the name of a member and everything around it is one literal.

use jiff::fmt::temporal::DateTimePrinter;

use super::record::{AttemptRecord, Facts, HopRecord, Record};
use crate::json::write::{array, boolean, number, text};
use crate::policy::plan::DropReason;
use crate::units::{Millis, Usd};
use crate::usage::{Service, Usage};

/// Version of the shape; what is new in a version is only ever added.
const SCHEMA: &str = "1";
/// RFC 3339 in UTC.
static MILLISECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(3));

/// A member behind another one.
macro_rules! member {
    ($out:ident, $name:literal, $value:expr) => {
        $out.extend_from_slice(concat!(",\"", $name, "\":").as_bytes());
        $value.put($out);
    };
}

/// A member behind another one, where there is a value.
macro_rules! maybe {
    ($out:ident, $name:literal, $value:expr) => {
        if let Some(value) = $value {
            member!($out, $name, value);
        }
    };
}

/// A member behind another one, where it is so.
macro_rules! flag {
    ($out:ident, $name:literal, $value:expr) => {
        if $value {
            $out.extend_from_slice(concat!(",\"", $name, "\":true").as_bytes());
        }
    };
}

impl Record<'_> {
    /// Appends the line, without its end.
    // Longer than a screen: one list of names, the line's table of contents.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"schema\":");
        out.extend_from_slice(SCHEMA.as_bytes());
        member!(out, "time", self.time);
        member!(out, "request_id", self.request_id);
        member!(out, "outcome", Word(self.outcome.word()));
        member!(out, "status", self.status);
        maybe!(out, "reason", self.reason);
        member!(out, "request", &self.request);
        if let Some(readings) = &self.readings {
            out.extend_from_slice(b",\"readings\":");
            readings.write(out);
        }
        member!(out, "policy", self.policy);
        member!(out, "policy_hash", self.policy_hash);
        maybe!(out, "timezone", self.timezone);
        maybe!(out, "rule", self.rule);
        maybe!(out, "tier", self.tier);
        member!(out, "chain", self.chain);
        member!(out, "dropped", self.dropped);
        member!(out, "attempts", self.attempts);
        maybe!(out, "snapshot", self.snapshot);
        maybe!(out, "hop", self.hop);
        maybe!(out, "served_model", self.served_model);
        member!(out, "drift", self.drift);
        maybe!(out, "degraded", self.degraded);
        maybe!(out, "ticket", self.ticket);
        maybe!(out, "cache", self.cache);
        maybe!(out, "cache_age_ms", self.cache_age_ms);
        member!(out, "usage", &self.usage);
        maybe!(out, "cost_usd", self.cost_usd);
        maybe!(out, "first_token_ms", self.first_token_ms);
        member!(out, "total_ms", self.total_ms);
        member!(out, "request_bytes", self.request_bytes);
        member!(out, "answer_bytes", self.answer_bytes);
        out.push(b'}');
    }
}

/// What a member says.
trait Value {
    fn put(self, out: &mut Vec<u8>);
}

/// A word of our own, which needs no escapes.
struct Word(&'static str);

impl Value for Word {
    fn put(self, out: &mut Vec<u8>) {
        out.push(b'"');
        out.extend_from_slice(self.0.as_bytes());
        out.push(b'"');
    }
}

impl Value for &str {
    fn put(self, out: &mut Vec<u8>) {
        text(out, self);
    }
}

impl Value for bool {
    fn put(self, out: &mut Vec<u8>) {
        boolean(out, self);
    }
}

macro_rules! numbers {
    ($($kind:ty),+) => {
        $(impl Value for $kind {
            fn put(self, out: &mut Vec<u8>) {
                number(out, self.into());
            }
        })+
    };
}

numbers!(u8, u16, u32, u64);

impl Value for Millis {
    fn put(self, out: &mut Vec<u8>) {
        number(out, self.0);
    }
}

/// Money is a decimal string in every JSON document.
impl Value for Usd {
    fn put(self, out: &mut Vec<u8>) {
        out.push(b'"');
        self.digits(|part| out.extend_from_slice(part));
        out.push(b'"');
    }
}

impl Value for jiff::Timestamp {
    fn put(self, out: &mut Vec<u8>) {
        out.push(b'"');
        // Writing to memory cannot fail.
        let _ = MILLISECONDS.print_timestamp(&self, &mut *out);
        out.push(b'"');
    }
}

/// Least and most.
impl Value for (u64, u64) {
    fn put(self, out: &mut Vec<u8>) {
        array(out, |list| [self.0, self.1].into_iter().for_each(|count| number(list.item(), count)));
    }
}

impl Value for &Facts<'_> {
    fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"endpoint\":");
        Word(self.endpoint).put(out);
        maybe!(out, "tenant", self.tenant);
        maybe!(out, "plan", self.plan);
        maybe!(out, "residency", self.residency);
        maybe!(out, "feature", self.feature);
        maybe!(out, "user", self.user);
        maybe!(out, "region", self.region);
        member!(out, "requested_model", self.requested_model);
        member!(out, "prompt_tokens", self.prompt_tokens);
        member!(out, "max_tokens", self.max_tokens);
        member!(out, "streaming", self.streaming);
        member!(out, "tools", self.tools);
        member!(out, "json_schema", self.json_schema);
        member!(out, "modality", self.modality);
        member!(out, "priority", Word(self.priority));
        if !self.attributes.is_empty() {
            member!(out, "attributes", self.attributes);
        }
        out.push(b'}');
    }
}

impl Value for &HopRecord<'_> {
    fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"hop\":");
        self.hop.put(out);
        member!(out, "snapshot", self.snapshot);
        maybe!(out, "tier", self.tier);
        out.push(b'}');
    }
}

impl Value for &AttemptRecord<'_> {
    fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"hop\":");
        self.hop.put(out);
        member!(out, "snapshot", self.snapshot);
        member!(out, "attempt", self.attempt);
        flag!(out, "hedge", self.hedge);
        flag!(out, "probe", self.probe);
        match self.failure {
            Some(failure) => {
                member!(out, "failure", Word(failure.word()));
            }
            None => out.extend_from_slice(b",\"failure\":null"),
        }
        flag!(out, "canceled", self.canceled);
        maybe!(out, "status", self.status);
        member!(out, "started_ms", self.started_ms);
        member!(out, "duration_ms", self.duration_ms);
        maybe!(out, "usage", &self.usage);
        maybe!(out, "cost_usd", self.cost_usd);
        out.push(b'}');
    }
}

impl Value for &Usage {
    fn put(self, out: &mut Vec<u8>) {
        let some = |count: u64| Some(count).filter(|count| *count > 0);
        out.extend_from_slice(b"{\"input_uncached\":");
        self.input_uncached.put(out);
        member!(out, "cache_read", self.cache_read);
        member!(out, "cache_write", self.cache_write);
        maybe!(out, "cache_write_hour", some(self.cache_write_hour));
        member!(out, "output", self.output);
        maybe!(out, "reasoning", some(self.reasoning));
        flag!(out, "estimated", self.estimated);
        if self.service != Service::Standard {
            member!(out, "service", Word(self.service.word()));
        }
        out.push(b'}');
    }
}

/// A name and what is said of it.
impl Value for &(&str, &str) {
    fn put(self, out: &mut Vec<u8>) {
        pair(out, self.0, self.1);
    }
}

impl Value for &(&str, DropReason) {
    fn put(self, out: &mut Vec<u8>) {
        pair(out, self.0, Word(self.1.word()));
    }
}

fn pair(out: &mut Vec<u8>, first: &str, second: impl Value) {
    array(out, |list| {
        first.put(list.item());
        second.put(list.item());
    });
}

impl<'r, Row> Value for &'r [Row]
where
    &'r Row: Value,
{
    fn put(self, out: &mut Vec<u8>) {
        array(out, |list| self.iter().for_each(|row| row.put(list.item())));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::failure::Failure;
    use crate::telemetry::Outcome;

    /// With a quote, a backslash and a line's end, wherever somebody else chose the text.
    const ODD: &str = "a\"b\\c\n";

    fn attempt(usage: Option<Usage>) -> AttemptRecord<'static> {
        AttemptRecord {
            hop: 1,
            snapshot: "openai/x",
            attempt: 2,
            hedge: false,
            probe: false,
            failure: None,
            canceled: false,
            status: None,
            started_ms: Millis(1),
            duration_ms: Millis(20),
            usage,
            cost_usd: None,
        }
    }

    fn record<'r>() -> Record<'r> {
        let time = "2026-11-23T12:00:00.0129Z".parse().unwrap();
        let request = Facts { endpoint: "chat", priority: "interactive", ..Facts::default() };
        Record::bare((time, "req_1"), (Outcome::Refused, 400), request, ("p", "sha256:00"))
    }

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> serde_json::Value {
        let mut out = Vec::new();
        write(&mut out);
        serde_json::from_slice(&out).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&out)))
    }

    #[test]
    fn a_line_of_a_refused_request_has_what_every_line_has() {
        let wanted = json!({
            "schema": 1, "time": "2026-11-23T12:00:00.012Z", "request_id": "req_1", "outcome": "refused", "status": 400,
            "request": {
                "endpoint": "chat", "requested_model": "", "prompt_tokens": [0, 0], "max_tokens": 0, "streaming": false,
                "tools": false, "json_schema": false, "modality": "", "priority": "interactive",
            },
            "policy": "p", "policy_hash": "sha256:00", "chain": [], "dropped": [], "attempts": [], "drift": false,
            "usage": {"input_uncached": 0, "cache_read": 0, "cache_write": 0, "output": 0},
            "total_ms": 0, "request_bytes": 0, "answer_bytes": 0,
        });
        assert_eq!(written(|out| record().write(out)), wanted);
    }

    #[test]
    fn a_request_is_written_with_every_fact() {
        let facts = Facts {
            endpoint: "chat",
            tenant: Some(ODD),
            tenant_label: "other",
            plan: Some("gold"),
            residency: Some("eu"),
            feature: Some("chat"),
            user: Some(ODD),
            region: Some("eu-west"),
            requested_model: ODD,
            prompt_tokens: (7, 8),
            max_tokens: 9,
            streaming: true,
            tools: true,
            json_schema: true,
            modality: "text+image",
            priority: "batch",
            attributes: &[("kind", ODD)],
        };
        let wanted = json!({
            "endpoint": "chat", "tenant": ODD, "plan": "gold", "residency": "eu", "feature": "chat", "user": ODD,
            "region": "eu-west", "requested_model": ODD, "prompt_tokens": [7, 8], "max_tokens": 9, "streaming": true,
            "tools": true, "json_schema": true, "modality": "text+image", "priority": "batch", "attributes": [["kind", ODD]],
        });
        assert_eq!(written(|out| facts.put(out)), wanted);
    }

    #[test]
    fn an_attempt_is_written_with_what_happened_to_it() {
        let usage = Usage {
            input_uncached: 1,
            cache_read: 2,
            cache_write: 3,
            cache_write_hour: 4,
            output: 5,
            reasoning: 6,
            estimated: true,
            service: Service::Flex,
        };
        let failed = AttemptRecord {
            hedge: true,
            probe: true,
            canceled: true,
            failure: Some(Failure::RateLimit),
            status: Some(429),
            cost_usd: Some(Usd(1_500_000_000_000)),
            ..attempt(Some(usage))
        };
        let wanted = json!([
            {
                "hop": 1, "snapshot": "openai/x", "attempt": 2, "hedge": true, "probe": true, "failure": "rate_limit",
                "canceled": true, "status": 429, "started_ms": 1, "duration_ms": 20,
                "usage": {
                    "input_uncached": 1, "cache_read": 2, "cache_write": 3, "cache_write_hour": 4, "output": 5,
                    "reasoning": 6, "estimated": true, "service": "flex",
                },
                "cost_usd": "1.50",
            },
            {"hop": 1, "snapshot": "openai/x", "attempt": 2, "failure": null, "started_ms": 1, "duration_ms": 20},
        ]);
        assert_eq!(written(|out| [failed, attempt(None)].put(out)), wanted);
    }

    #[test]
    fn a_line_has_everything_that_is_known_under_its_name() {
        let chain = [("openai/x", Some("mid")), ("y/z", None)];
        let chain = chain.map(|(snapshot, tier)| HopRecord { hop: 1, snapshot, tier });
        let record = Record {
            outcome: Outcome::Degraded,
            reason: Some("network"),
            timezone: Some("UTC"),
            rule: Some("r"),
            tier: Some("mid"),
            chain: &chain,
            dropped: &[("requested", DropReason::NotRequested)],
            snapshot: Some("openai/x"),
            hop: Some(1),
            served_model: Some(ODD),
            drift: true,
            degraded: Some("template sorry"),
            ticket: Some("t"),
            cache: Some("stale"),
            cache_age_ms: Some(Millis(10)),
            cost_usd: Some(Usd(3_350_000_000)),
            first_token_ms: Some(Millis(11)),
            total_ms: Millis(12),
            request_bytes: 13,
            answer_bytes: u64::MAX,
            ..record()
        };
        let known = json!({
            "outcome": "degraded", "reason": "network", "timezone": "UTC", "rule": "r", "tier": "mid",
            "chain": [{"hop": 1, "snapshot": "openai/x", "tier": "mid"}, {"hop": 1, "snapshot": "y/z"}],
            "dropped": [["requested", "not_requested"]], "snapshot": "openai/x", "hop": 1, "served_model": ODD,
            "drift": true, "degraded": "template sorry", "ticket": "t", "cache": "stale", "cache_age_ms": 10,
            "cost_usd": "0.00335", "first_token_ms": 11, "total_ms": 12, "request_bytes": 13, "answer_bytes": u64::MAX,
        });
        let line = written(|out| record.write(out));
        let always = written(|out| self::record().write(out));
        for (name, value) in line.as_object().unwrap() {
            let wanted = known.get(name).or_else(|| always.get(name));
            assert_eq!(Some(value), wanted, "{name}");
        }
        assert!(known.as_object().unwrap().keys().all(|name| line.get(name).is_some()), "{line}");
    }
}
