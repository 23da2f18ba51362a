//! What of an answer's head is carried over to a caller: the provider's name for the request, and how much more may be asked.
//!
//! In: the headers of an answer, its dialect and the caller's. Out: headers for the caller. Must not know: sockets, which of its own
//! headers a caller gets beside these.
//!
//! The provider's name for a request goes where the caller's clients look for it:
//!
//! | from | its name | to callers of Messages | to all others |
//! |---|---|---|---|
//! | Chat Completions, Responses, embeddings | `x-request-id`, else `apim-request-id` (Azure), `mistral-correlation-id` | `request-id` | `x-request-id` |
//! | Messages | `request-id`, else `x-amzn-requestid` (Bedrock) | `request-id` | `x-request-id` |
//! | Converse | `x-amzn-requestid` | `request-id` | `x-request-id` |
//! | Gemini | none | | |
//!
//! In the same dialect, and between OpenAI's own, limits pass as they are: `x-ratelimit-*`; `anthropic-ratelimit-*`,
//! `anthropic-priority-*`, `anthropic-fast-*`. Otherwise those pass that mean the same, under the caller's names:
//!
//! | OpenAI | Anthropic | |
//! |---|---|---|
//! | `x-ratelimit-limit-requests` | `anthropic-ratelimit-requests-limit` | in a minute |
//! | `x-ratelimit-remaining-requests` | `anthropic-ratelimit-requests-remaining` | |
//! | `x-ratelimit-reset-requests` | `anthropic-ratelimit-requests-reset` | the wait (`6m0s`) is a moment (RFC 3339) there |
//! | `x-ratelimit-limit-tokens` | `anthropic-ratelimit-tokens-limit` | of prompts and answers together, in a minute |
//! | `x-ratelimit-remaining-tokens` | `anthropic-ratelimit-tokens-remaining` | |
//! | `x-ratelimit-reset-tokens` | `anthropic-ratelimit-tokens-reset` | as above |
//! | none | `anthropic-ratelimit-input-tokens-*`, `-output-tokens-*`, `anthropic-priority-*` | not carried over |
//!
//! Gemini and Converse have no such headers, and none are made up for their callers (providers' documentation, 2026-11-22).

use std::fmt::Write;

use jiff::Timestamp;

use super::Dialect;

/// Headers of one answer that are carried over; OpenAI has 6 and Anthropic 18.
pub const MAX_CARRIED: usize = 24;
/// Longest value that is, in bytes. Names of requests have some 40.
pub const MAX_VALUE: usize = 128;
/// Longest wait that is a wait: a year.
const MAX_WAIT: f64 = 366.0 * 86_400.0;

/// Headers for a caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// The provider's name for the request.
    pub request_id: Option<Box<str>>,
    /// Names and values.
    pub limits: Vec<(Box<str>, Box<str>)>,
}

/// The same limit under OpenAI's name and under Anthropic's.
const SAME: [(&str, &str); 6] = [
    ("x-ratelimit-limit-requests", "anthropic-ratelimit-requests-limit"),
    ("x-ratelimit-remaining-requests", "anthropic-ratelimit-requests-remaining"),
    ("x-ratelimit-reset-requests", "anthropic-ratelimit-requests-reset"),
    ("x-ratelimit-limit-tokens", "anthropic-ratelimit-tokens-limit"),
    ("x-ratelimit-remaining-tokens", "anthropic-ratelimit-tokens-remaining"),
    ("x-ratelimit-reset-tokens", "anthropic-ratelimit-tokens-reset"),
];

/// What the names of a dialect's limits begin with.
const fn families(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::Chat | Dialect::Responses | Dialect::Embeddings => &["x-ratelimit-"],
        Dialect::Messages => &["anthropic-ratelimit-", "anthropic-priority-", "anthropic-fast-"],
        Dialect::Gemini | Dialect::Converse => &[],
    }
}

/// Where a provider names a request, the likeliest first.
const fn names(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::Chat | Dialect::Responses | Dialect::Embeddings => {
            &["x-request-id", "apim-request-id", "mistral-correlation-id"]
        }
        Dialect::Messages => &["request-id", "x-amzn-requestid"],
        Dialect::Converse => &["x-amzn-requestid"],
        Dialect::Gemini => &[],
    }
}

impl Carried {
    /// Out of an answer's headers, whose names are lower case.
    pub fn over<'h>(
        upstream: Dialect,
        caller: Dialect,
        headers: impl Iterator<Item = (&'h str, &'h str)>,
        now: impl Fn() -> Timestamp,
    ) -> Self {
        let mut carried = Self::default();
        let mut named = usize::MAX;
        let (theirs, ours) = (families(upstream), families(caller));
        for (name, value) in headers.filter(|(_, value)| !value.is_empty() && value.len() <= MAX_VALUE) {
            if let Some(at) = names(upstream).iter().position(|known| *known == name).filter(|at| *at < named) {
                named = at;
                carried.request_id = Some(value.into());
            }
            if carried.limits.len() == MAX_CARRIED || !theirs.iter().any(|family| name.starts_with(family)) {
                continue;
            }
            if theirs == ours {
                carried.limits.push((name.into(), value.into()));
            } else if let Some((name, value)) = translated(name, value, caller, now()) {
                carried.limits.push((name.into(), value.into()));
            }
        }
        carried
    }
}

/// The same limit in the caller's dialect, where it has one.
fn translated(name: &str, value: &str, caller: Dialect, now: Timestamp) -> Option<(&'static str, String)> {
    let messages = caller == Dialect::Messages;
    if !messages && families(caller).is_empty() {
        return None;
    }
    let row = SAME.iter().find(|row| name == if messages { row.0 } else { row.1 })?;
    let name = if messages { row.1 } else { row.0 };
    let value = match (name.contains("reset"), messages) {
        (false, _) => value.bytes().all(|byte| byte.is_ascii_digit()).then(|| value.to_owned())?,
        (true, true) => {
            // Whole seconds, as Anthropic has them; never before it is so.
            let at = now.as_millisecond() + (wait(value)? * 1000.0).ceil() as i64;
            Timestamp::from_second((at + 999).div_euclid(1000)).ok()?.to_string()
        }
        (true, false) => {
            let at: Timestamp = value.parse().ok()?;
            shown(at.as_millisecond().saturating_sub(now.as_millisecond()).max(0).unsigned_abs())
        }
    };
    Some((name, value))
}

/// Seconds of `1s`, `6m0s`, `1h2m3.5s`, `20ms`.
fn wait(text: &str) -> Option<f64> {
    let (mut seconds, mut rest) = (0.0, text);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, unit) = rest.split_at(end);
        let end = unit.find(|c: char| c.is_ascii_digit()).unwrap_or(unit.len());
        let (unit, after) = unit.split_at(end);
        let factor = match unit {
            "d" => 86_400.0,
            "h" => 3_600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 0.001,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * factor;
        rest = after;
    }
    (!text.is_empty() && seconds <= MAX_WAIT).then_some(seconds)
}

/// `1h2m3s`, `6m0s`, `1s`, `20ms`.
fn shown(millis: u64) -> String {
    if millis < 1000 {
        return format!("{millis}ms");
    }
    let seconds = millis.div_ceil(1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = String::new();
    // Writing to a string cannot fail.
    if hours > 0 {
        let _ = write!(text, "{hours}h");
    }
    if hours > 0 || minutes > 0 {
        let _ = write!(text, "{minutes}m");
    }
    let _ = write!(text, "{seconds}s");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(upstream: Dialect, caller: Dialect, headers: &[(&str, &str)]) -> (Option<String>, Vec<String>) {
        let now = || "2026-11-26T12:00:00.5Z".parse().unwrap();
        let carried = Carried::over(upstream, caller, headers.iter().copied(), now);
        let limits = carried.limits.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        (carried.request_id.map(String::from), limits)
    }

    const OPENAI: [(&str, &str); 8] = [
        ("apim-request-id", "azure"),
        ("x-request-id", "req_1"),
        ("x-ratelimit-limit-requests", "10000"),
        ("x-ratelimit-remaining-tokens", "149984"),
        ("x-ratelimit-reset-tokens", "6m0s"),
        ("x-ratelimit-limit-project-tokens", "5"),
        ("openai-processing-ms", "7"),
        ("authorization", "secret"),
    ];
    const ANTHROPIC: [(&str, &str); 6] = [
        ("request-id", "req_2"),
        ("anthropic-ratelimit-requests-limit", "4000"),
        ("anthropic-ratelimit-tokens-reset", "2026-11-26T12:06:00Z"),
        ("anthropic-ratelimit-input-tokens-limit", "400000"),
        ("anthropic-priority-input-tokens-limit", "1"),
        ("anthropic-organization-id", "org"),
    ];

    #[test]
    fn the_same_dialect_passes_its_limits_untouched() {
        for caller in [Dialect::Chat, Dialect::Responses, Dialect::Embeddings] {
            let (id, limits) = over(Dialect::Chat, caller, &OPENAI);
            let wanted: Vec<_> = OPENAI[2..6].iter().map(|(name, value)| format!("{name}: {value}")).collect();
            assert_eq!((id.as_deref(), limits), (Some("req_1"), wanted), "{caller:?}");
        }
        let (id, limits) = over(Dialect::Messages, Dialect::Messages, &ANTHROPIC);
        let wanted: Vec<_> = ANTHROPIC[1..5].iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!((id.as_deref(), limits), (Some("req_2"), wanted));
    }

    #[test]
    fn another_dialect_gets_what_means_the_same() {
        let (id, limits) = over(Dialect::Responses, Dialect::Messages, &OPENAI);
        assert_eq!(id.as_deref(), Some("req_1"));
        assert_eq!(
            limits,
            [
                "anthropic-ratelimit-requests-limit: 10000",
                "anthropic-ratelimit-tokens-remaining: 149984",
                "anthropic-ratelimit-tokens-reset: 2026-11-26T12:06:01Z",
            ]
        );
        let (_, limits) = over(Dialect::Messages, Dialect::Chat, &ANTHROPIC);
        assert_eq!(limits, ["x-ratelimit-limit-requests: 4000", "x-ratelimit-reset-tokens: 6m0s"]);
        let amazon = [("x-amzn-requestid", "a-1"), ("x-request-id", "b")];
        assert_eq!(over(Dialect::Converse, Dialect::Chat, &amazon), (Some("a-1".to_owned()), vec![]));
        assert_eq!(over(Dialect::Messages, Dialect::Chat, &amazon).0.as_deref(), Some("a-1"));
        assert_eq!(over(Dialect::Chat, Dialect::Gemini, &OPENAI), (Some("req_1".to_owned()), vec![]));
        assert_eq!(over(Dialect::Gemini, Dialect::Chat, &OPENAI), (None, vec![]));
    }

    #[test]
    fn what_is_no_limit_is_not_translated() {
        for value in ["", "a", "1x", "1", "s", "-1s", "1.2.3s", "999999h", "9999999999999999999d"] {
            let header = [("x-ratelimit-reset-tokens", value)];
            assert_eq!(over(Dialect::Chat, Dialect::Messages, &header).1, [""; 0], "{value}");
        }
        assert_eq!(over(Dialect::Chat, Dialect::Messages, &[("x-ratelimit-limit-tokens", "many")]).1, [""; 0]);
        let reset = |value| over(Dialect::Messages, Dialect::Chat, &[("anthropic-ratelimit-tokens-reset", value)]).1;
        assert_eq!(reset("soon"), [""; 0]);
        assert_eq!(reset("2020-01-01T00:00:00Z"), ["x-ratelimit-reset-tokens: 0ms"]);
        assert_eq!(reset("2026-11-26T13:02:03Z"), ["x-ratelimit-reset-tokens: 1h2m3s"]);
        let waits = ["20ms", "1.5s", "1h2m3s"].map(|text| wait(text).unwrap());
        assert_eq!(waits, [0.02, 1.5, 3723.0]);
    }

    #[test]
    fn so_many_headers_of_such_a_length_are_carried_over_and_no_more() {
        let names: Vec<String> = (0..=MAX_CARRIED).map(|at| format!("x-ratelimit-{at}")).collect();
        let headers: Vec<_> = names.iter().map(|name| (&**name, "1")).collect();
        for (count, carried) in [(MAX_CARRIED, MAX_CARRIED), (MAX_CARRIED + 1, MAX_CARRIED)] {
            assert_eq!(over(Dialect::Chat, Dialect::Chat, &headers[..count]).1.len(), carried);
        }
        for (length, carried) in [(MAX_VALUE, 1), (MAX_VALUE + 1, 0)] {
            let value = "1".repeat(length);
            let (id, limits) =
                over(Dialect::Chat, Dialect::Chat, &[("x-request-id", &value), ("x-ratelimit-a", &value)]);
            assert_eq!((id.iter().count(), limits.len()), (carried, carried));
        }
    }
}
