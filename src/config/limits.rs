//! Bounds on what one caller, and all of them together, can make this process hold: the `limits:` section.
//!
//! In: the section as typed. Out: [`Limits`]. Must not know: sockets.

use super::raw::{RawLimits, Size};
use crate::units::{Bytes, Millis};

/// Bytes of all request bodies in work together, when nothing is said: eight of the largest, or a thousand of the size that
/// most prompts stay below.
const DEFAULT_BODIES: u64 = 256 << 20;
/// Requests that may wait for a place, when nothing is said.
const DEFAULT_WAITING: usize = 256;
/// How long each of them may, when nothing is said.
const DEFAULT_WAIT: Millis = Millis::secs(2);
/// The longest `wait_timeout`: a caller that waits longer gives up, and asks again.
pub const MAX_WAIT: Millis = Millis::secs(60);

/// The `limits:` section.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a request head.
    pub head: u64,
    /// Bytes of a request body.
    pub body: u64,
    /// Bytes of all request bodies together, those that wait included; a request that does not fit is answered 503.
    pub bodies: u64,
    /// Open connections from callers.
    pub connections: usize,
    /// Requests in work.
    pub concurrent: usize,
    /// Requests beyond them that wait for a place; more are answered 503 at once.
    pub waiting: usize,
    /// How long each of these waits before it is answered 503.
    pub wait_timeout: Millis,
    /// From the first byte of a request to the last of its body.
    pub read_timeout: Millis,
    /// How long a caller may not take a byte.
    pub write_timeout: Millis,
    /// How long an idle connection from a caller is kept.
    pub keepalive: Millis,
    /// How long requests in work may take to finish after SIGTERM.
    pub drain: Millis,
    /// Idle connections kept to all upstreams together.
    pub pool: usize,
    /// Worker threads.
    pub threads: usize,
}

/// The section as meant; what means nothing goes to `errors`.
pub(super) fn meant(raw: &RawLimits, errors: &mut Vec<String>) -> Limits {
    for (key, value) in [("concurrent", raw.concurrent), ("connections", raw.connections), ("threads", raw.threads)] {
        if value == Some(0) {
            errors.push(format!("limits.{key}: 0 would serve nobody; write at least 1"));
        }
    }
    let body = size("body", raw.body.as_ref(), 32 << 20, errors);
    let bodies = size("bodies", raw.bodies.as_ref(), DEFAULT_BODIES.max(body), errors);
    if bodies < body {
        errors.push(format!(
            "limits.bodies: {bodies} bytes for all bodies are fewer than the {body} that `limits.body` lets one have"
        ));
    }
    let wait_timeout = time("wait_timeout", raw.wait_timeout.as_deref(), DEFAULT_WAIT, errors);
    if wait_timeout == Millis(0) || wait_timeout > MAX_WAIT {
        errors.push(format!(
            "limits.wait_timeout: {wait_timeout} is not 1ms to {MAX_WAIT}; write `waiting: 0` where nobody shall wait"
        ));
    }
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(4);
    Limits {
        head: size("head", raw.head.as_ref(), 64 << 10, errors),
        body,
        bodies,
        connections: raw.connections.unwrap_or(4096),
        concurrent: raw.concurrent.unwrap_or(1024),
        waiting: raw.waiting.unwrap_or(DEFAULT_WAITING),
        wait_timeout,
        read_timeout: time("read_timeout", raw.read_timeout.as_deref(), Millis::secs(30), errors),
        write_timeout: time("write_timeout", raw.write_timeout.as_deref(), Millis::secs(60), errors),
        keepalive: time("keepalive", raw.keepalive.as_deref(), Millis::secs(75), errors),
        drain: time("drain", raw.drain.as_deref(), Millis::secs(25), errors),
        pool: raw.pool.unwrap_or(256),
        threads: raw.threads.unwrap_or(threads),
    }
}

fn time(key: &str, text: Option<&str>, default: Millis, errors: &mut Vec<String>) -> Millis {
    let parsed = text.map_or(Ok(default), str::parse);
    parsed.unwrap_or_else(|error: String| {
        errors.push(format!("limits.{key}: {error}"));
        default
    })
}

fn size(key: &str, size: Option<&Size>, default: u64, errors: &mut Vec<String>) -> u64 {
    let parsed = match size {
        None => return default,
        Some(Size::Bytes(bytes)) => Ok(Bytes(*bytes)),
        Some(Size::Text(text)) => text.parse(),
    };
    parsed.map_or_else(
        |error: String| {
            errors.push(format!("limits.{key}: {error}"));
            default
        },
        |Bytes(bytes)| bytes,
    )
}

#[cfg(test)]
mod tests {
    use super::super::check::{parse, project};
    use super::*;

    fn read(limits: &str) -> Limits {
        let mut errors = Vec::new();
        let read = meant(&parse(limits).unwrap().limits, &mut errors);
        assert_eq!(errors, [""; 0]);
        read
    }

    #[test]
    fn one_body_fits_into_what_all_together_may_have() {
        assert_eq!(read("limits: {body: 300MiB}").bodies, 300 << 20);
        assert_eq!(read("limits: {body: 1MiB, bodies: 1MiB}").bodies, 1 << 20);
        let error = project("limits: {body: 1000, bodies: 999}").unwrap_err().to_string();
        assert!(error.contains("limits.bodies: 999 bytes for all bodies are fewer than the 1000"), "{error}");
    }

    #[test]
    fn nobody_waits_where_that_is_said_and_nobody_waits_long() {
        let usual = read("");
        assert_eq!((usual.waiting, usual.wait_timeout), (DEFAULT_WAITING, DEFAULT_WAIT));
        assert_eq!(read("limits: {waiting: 0}").waiting, 0);
        for (at_limit, beyond) in [("1ms", "0s"), ("60s", "61s")] {
            assert!(project(&format!("limits: {{wait_timeout: {at_limit}}}")).is_ok(), "{at_limit}");
            let error = project(&format!("limits: {{wait_timeout: {beyond}}}")).unwrap_err().to_string();
            assert!(error.contains("is not 1ms to 1m; write `waiting: 0`"), "{error}");
        }
    }

    #[test]
    fn every_wrong_value_is_said_at_once_and_to_who_checks_too() {
        let text =
            "limits: {concurrent: 0, connections: 0, threads: 0, head: 3MB, drain: 5, wait_timeout: soon, wating: 1}\n";
        let unknown = project(text).unwrap_err().to_string();
        assert!(unknown.contains("unknown key `limits.wating`; did you mean `waiting`?"), "{unknown}");
        let errors = project(&text.replace(", wating: 1", "")).unwrap_err().to_string();
        for key in ["concurrent", "connections", "threads", "head", "drain", "wait_timeout"] {
            assert!(errors.contains(&format!("limits.{key}: ")), "{key}\n{errors}");
        }
    }
}
