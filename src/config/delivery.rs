//! How the tickets of a queue are delivered: the `queues:` section.
//!
//! In: its rows, the environment. Out: one [`Delivery`] a row. Must not know: policies, tickets.

use std::collections::BTreeMap;
#[cfg(feature = "serve")]
use std::sync::Arc;

#[cfg(feature = "serve")]
use super::auth::Auth;
use super::base_url::BaseUrl;
#[cfg(feature = "serve")]
use super::known::ProviderKind;
#[cfg(feature = "serve")]
use super::meant::Reader;
#[cfg(feature = "serve")]
use super::provider::{OutputCap, Provider};
use super::raw::RawQueue;
use super::secret::Secret;
#[cfg(feature = "serve")]
use crate::names::Dialect;
use crate::units::Millis;

/// How long a delivery may take when nothing is said.
const DEFAULT_TIMEOUT: Millis = Millis::secs(2);
/// The longest it may take: the caller waits for it.
pub const MAX_TIMEOUT: Millis = Millis::secs(30);
/// The stream that takes tickets when nothing is said.
const DEFAULT_STREAM: &str = "wayside:tickets";
/// Entries that the stream may have when nothing is said: as many as tickets may wait on this disk.
const DEFAULT_ENTRIES: u64 = super::spool::DEFAULT_TICKETS;
/// The most `entries` that may be asked for: a server holds all of them in its memory.
pub const MAX_ENTRIES: u64 = 1_000_000;

/// How the tickets of one queue are delivered.
#[cfg(feature = "serve")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// To whom.
    pub sink: Sink,
    /// How long that may take before the ticket goes to this disk.
    pub timeout: Millis,
}

/// Who takes tickets.
#[cfg(feature = "serve")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    /// A service; each ticket is a POST.
    Webhook {
        /// Where it is.
        service: Arc<Provider>,
        /// What its address has behind `?`.
        query: Option<Secret>,
    },
    /// A stream on a Redis server; each ticket is an entry.
    Stream {
        /// The server's URL, perhaps with a password.
        server: Secret,
        /// The stream's key.
        stream: Arc<str>,
        /// With so many entries it takes no more.
        entries: u64,
    },
}

/// A row as far as it can be judged without variables and files.
#[cfg_attr(not(feature = "serve"), allow(dead_code, reason = "the language tools judge it and deliver nothing"))]
struct Row<'a> {
    to: To<'a>,
    timeout: Millis,
}

/// Where to, as written.
#[cfg_attr(not(feature = "serve"), allow(dead_code, reason = "likewise"))]
enum To<'a> {
    Webhook(&'a str),
    Stream { server: &'a str, stream: &'a str, entries: u64 },
}

/// Judges every row where no key and no variable may be had; what is wrong goes to `errors`.
pub(super) fn judge(rows: &BTreeMap<String, RawQueue>, errors: &mut Vec<String>) {
    for (name, raw) in rows {
        let at = format!("queues.{name}");
        // What a variable makes of it is seen where the variable is.
        match Row::of(&at, raw, errors).map(|row| row.to) {
            Some(To::Webhook(url)) if !url.contains("${") => drop(webhook(&at, url, url, errors)),
            Some(To::Stream { server, .. }) if !server.contains("${") && !server.starts_with("file:") => {
                errors.extend(wrong_server(&at, server));
            }
            _ => {}
        }
    }
}

impl<'a> Row<'a> {
    fn of(at: &str, raw: &'a RawQueue, errors: &mut Vec<String>) -> Option<Self> {
        let timeout = raw.timeout.as_deref().map_or(Ok(DEFAULT_TIMEOUT), str::parse);
        let timeout = timeout.unwrap_or_else(|error: String| {
            errors.push(format!("{at}.timeout: {error}"));
            DEFAULT_TIMEOUT
        });
        if timeout > MAX_TIMEOUT || timeout == Millis(0) {
            errors.push(format!("{at}.timeout: {timeout} is not 1ms to {MAX_TIMEOUT}; a caller waits for it"));
        }
        let to = match (&raw.webhook, &raw.redis) {
            (Some(url), None) => {
                let lost = [("stream", raw.stream.is_some()), ("entries", raw.entries.is_some())];
                errors.extend(without_use(at, "redis", &lost));
                To::Webhook(url)
            }
            (None, Some(server)) => {
                let lost = [("headers", !raw.headers.is_empty()), ("ca_file", raw.ca_file.is_some())];
                errors.extend(without_use(at, "webhook", &lost));
                Self::stream(at, raw, server, errors)
            }
            (Some(_), Some(_)) => {
                errors
                    .push(format!("{at}: both `webhook` and `redis`, and a ticket goes to one of them; leave one out"));
                return None;
            }
            (None, None) => {
                errors.push(format!(
                    "{at}: neither `webhook` nor `redis`; write `webhook: https://host/path` or `redis: redis://host:6379/0`, or \
                     leave the queue out: its tickets wait in `spool`"
                ));
                return None;
            }
        };
        Some(Self { to, timeout })
    }

    fn stream(at: &str, raw: &'a RawQueue, server: &'a str, errors: &mut Vec<String>) -> To<'a> {
        let stream = raw.stream.as_deref().unwrap_or(DEFAULT_STREAM);
        if stream.is_empty() {
            errors.push(format!("{at}.stream: an empty name; write `{DEFAULT_STREAM}`, or leave it out"));
        }
        let entries = raw.entries.unwrap_or(DEFAULT_ENTRIES);
        if entries == 0 || entries > MAX_ENTRIES {
            errors.push(format!("{at}.entries: {entries} is not 1 to {MAX_ENTRIES}; the default is {DEFAULT_ENTRIES}"));
        }
        To::Stream { server, stream, entries }
    }
}

/// Keys that only rows of the `other` kind have.
fn without_use(at: &str, other: &str, keys: &[(&str, bool)]) -> Vec<String> {
    let there = keys.iter().filter(|(_, there)| *there);
    there.map(|(key, _)| format!("{at}.{key}: no use without `{other}`; leave it out")).collect()
}

fn webhook(at: &str, filled: &str, written: &str, errors: &mut Vec<String>) -> Option<(BaseUrl, Option<Secret>)> {
    let url = BaseUrl::with_query(filled, written);
    url.map_err(|error| errors.push(format!("{at}.webhook: {error}"))).ok()
}

/// What is wrong with a server's URL. It is not shown: it may hold a password.
fn wrong_server(at: &str, url: &str) -> Option<String> {
    let wrong = |what: &str| Some(format!("{at}.redis: the URL {what}; write `redis://user:password@host:6379/0`"));
    let Ok(uri) = url.parse::<http::Uri>() else { return wrong("is not one") };
    if uri.scheme_str() != Some("redis") {
        return wrong("does not begin with redis://");
    }
    if uri.host().is_none_or(str::is_empty) {
        return wrong("names no host");
    }
    let database = uri.path().trim_start_matches('/');
    if uri.query().is_some() || !(database.is_empty() || database.parse::<u32>().is_ok()) {
        return wrong("has more behind the host than the number of a database");
    }
    None
}

#[cfg(feature = "serve")]
impl Reader<'_> {
    pub(super) fn deliveries(&mut self, rows: &BTreeMap<String, RawQueue>) -> BTreeMap<String, Delivery> {
        rows.iter().filter_map(|(name, row)| Some((name.clone(), self.delivery(name, row)?))).collect()
    }

    fn delivery(&mut self, name: &str, raw: &RawQueue) -> Option<Delivery> {
        let at = format!("queues.{name}");
        let Row { to, timeout } = Row::of(&at, raw, self.errors)?;
        let sink = match to {
            To::Webhook(written) => self.service(&at, raw, written, timeout)?,
            To::Stream { server, stream, entries } => {
                let server = self.secret(&format!("{at}.redis"), server)?;
                if let Some(error) = wrong_server(&at, server.expose()) {
                    self.errors.push(error);
                    return None;
                }
                Sink::Stream { server, stream: stream.into(), entries }
            }
        };
        Some(Delivery { sink, timeout })
    }

    fn service(&mut self, at: &str, raw: &RawQueue, written: &str, timeout: Millis) -> Option<Sink> {
        let filled = self.filled(&format!("{at}.webhook"), written)?;
        let (base_url, query) = webhook(at, &filled, written, self.errors)?;
        let mut headers = Vec::new();
        for (name, value) in &raw.headers {
            let name = name.to_ascii_lowercase();
            headers.extend(self.secret(&format!("{at}.headers.{name}"), value).map(|value| (name, value)));
        }
        let authorities = self.authorities(at, raw.ca_file.as_deref());
        let service = Arc::new(Provider {
            name: at.into(),
            kind: ProviderKind::Hosted,
            dialect: Dialect::Chat,
            auth: Auth::Usual,
            cloud: None,
            api_version: None,
            base_url,
            key: None,
            caller_key: false,
            headers,
            authorities,
            client_certificate: None,
            tunnel: None,
            // Half of the time, so that an address that says nothing leaves some for the next.
            connect_timeout: Millis(timeout.0.div_ceil(2)),
            shares_fate: None,
            output_cap: OutputCap::MaxTokens,
        });
        Some(Sink::Webhook { service, query })
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::project;

    fn judged(rows: &str) -> Result<(), String> {
        project(&format!("queues:\n{rows}")).map(drop).map_err(|errors| errors.to_string())
    }

    #[test]
    fn everything_wrong_says_what_to_write() {
        let text = "  a: {}\n  b: {webhook: 'desk'}\n  c: {webhook: 'http://h', timeout: 31s}\n  d: {webhook: 'http://h', timeout: 5}\n";
        let errors = judged(text).unwrap_err();
        for part in [
            "queues.a: neither `webhook` nor `redis`; write `webhook: https://host/path` or `redis: redis://host:6379/0`, or leave",
            "queues.b.webhook: `desk` ",
            "queues.c.timeout: 31s is not 1ms to 30s",
            "queues.d.timeout: `5` is not a duration",
        ] {
            assert!(errors.contains(part), "{part}\n--- in\n{errors}");
        }
        assert_eq!(judged("  c: {webhook: 'http://h', timeout: 30s}\n"), Ok(()));
        assert_eq!(judged("  c: {webhook: 'http://h', timeout: 1ms}\n"), Ok(()));
        assert!(judged("  c: {webhook: 'http://h', timeout: 0s}\n").unwrap_err().contains("0ms is not 1ms to 30s"));
        let unknown = judged("  a: {webhok: x}\n").unwrap_err();
        assert!(unknown.contains("unknown key `queues.a.webhok`; did you mean `webhook`?"), "{unknown}");
    }

    #[test]
    fn a_stream_is_judged_key_by_key() {
        let text = "  a: {webhook: 'http://h', redis: 'redis://h'}\n  b: {redis: 'redis://h', headers: {x: y}, ca_file: ca.pem}\n  \
                    c: {webhook: 'http://h', stream: s, entries: 1}\n  d: {redis: 'redis://h', stream: '', entries: 0}\n";
        let errors = judged(text).unwrap_err();
        for part in [
            "queues.a: both `webhook` and `redis`, and a ticket goes to one of them",
            "queues.b.headers: no use without `webhook`; leave it out",
            "queues.b.ca_file: no use without `webhook`; leave it out",
            "queues.c.stream: no use without `redis`; leave it out",
            "queues.c.entries: no use without `redis`; leave it out",
            "queues.d.stream: an empty name; write `wayside:tickets`",
            "queues.d.entries: 0 is not 1 to 1000000; the default is 10000",
        ] {
            assert!(errors.contains(part), "{part}\n--- in\n{errors}");
        }
        for (at_limit, beyond) in [("1000000", "1000001"), ("1", "0")] {
            let judged = |entries| judged(&format!("  a: {{redis: 'redis://h', entries: {entries}}}\n"));
            assert!(judged(at_limit).is_ok() && judged(beyond).is_err());
        }
    }

    #[test]
    fn a_server_is_named_by_a_url_that_is_not_shown() {
        for url in ["redis://h", "redis://h/", "redis://h:6379/0", "redis://u:p%40ss@[::1]:1/15", "${URL}", "file:url"]
        {
            assert_eq!(judged(&format!("  a: {{redis: '{url}'}}\n")), Ok(()), "{url}");
        }
        for (url, what) in [
            ("rediss://u:s3cret@h", "does not begin with redis://"),
            ("redis://u:s3cret@", "is not one"),
            ("redis://h/s3cret", "has more behind the host"),
            ("redis://h/0?s3cret", "has more behind the host"),
            ("s3cret@h", "does not begin with redis://"),
        ] {
            let errors = judged(&format!("  a: {{redis: '{url}'}}\n")).unwrap_err();
            assert!(errors.contains(&format!("queues.a.redis: the URL {what}")), "{url}: {errors}");
            assert!(
                errors.contains("write `redis://user:password@host:6379/0`") && !errors.contains("s3cret"),
                "{errors}"
            );
        }
    }

    #[test]
    fn who_checks_needs_no_variable_and_no_file_of_who_serves() {
        let row = "webhook: '${DESK_URL}', headers: {authorization: 'file:token'}, ca_file: ca.pem";
        assert_eq!(judged(&format!("  a: {{{row}}}\n")), Ok(()));
    }

    #[test]
    fn no_part_of_a_url_that_may_be_secret_is_said() {
        for url in ["ftp://h/?s3cret", "https://u:s3cret@h/in", "h/a@b?s3cret", "https://h/in?a=\"s3cret\""] {
            let errors = judged(&format!("  a: {{webhook: '{url}'}}\n")).unwrap_err();
            assert!(errors.contains("queues.a.webhook: ") && !errors.contains("s3cret"), "{errors}");
        }
    }
}

#[cfg(all(test, feature = "serve"))]
mod serve_tests {
    use std::path::Path;

    use super::super::{Config, Environment};
    use super::*;

    struct Fake;

    impl Environment for Fake {
        fn variable(&self, name: &str) -> Option<String> {
            (name == "TOKEN").then(|| "s3cret".to_owned())
        }
        fn file(&self, _: &Path) -> Result<String, String> {
            Err("not found".to_owned())
        }
    }

    fn read(rows: &str) -> Result<BTreeMap<String, Delivery>, String> {
        let text = format!("queues:\n{rows}");
        Config::read(&text, Path::new("/etc"), &Fake).map(|config| config.queues).map_err(|errors| errors.to_string())
    }

    fn service(delivery: &Delivery) -> (&Provider, Option<&str>) {
        match &delivery.sink {
            Sink::Webhook { service, query } => (service, query.as_ref().map(Secret::expose)),
            Sink::Stream { .. } => unreachable!("no webhook: {delivery:?}"),
        }
    }

    #[test]
    fn rows_are_read_and_no_secret_prints() {
        let text = "  desk: {webhook: 'https://desk.example/in', headers: {Authorization: 'Bearer ${TOKEN}'}, timeout: 500ms}\n  \
                    night: {webhook: 'http://127.0.0.1:9/in/'}\n  late: {redis: 'redis://:${TOKEN}@127.0.0.1:6379/0'}\n";
        let queues = read(text).unwrap();
        let (desk, _) = service(&queues["desk"]);
        assert_eq!(
            (desk.base_url.to_string(), desk.headers[0].0.as_str(), desk.headers[0].1.expose()),
            ("https://desk.example/in".to_owned(), "authorization", "Bearer s3cret")
        );
        assert_eq!((queues["desk"].timeout, queues["night"].timeout), (Millis(500), DEFAULT_TIMEOUT));
        assert_eq!((desk.connect_timeout, &*service(&queues["night"]).0.base_url.path), (Millis(250), "/in/"));
        let Sink::Stream { server, stream, entries } = &queues["late"].sink else { panic!("no stream: {queues:?}") };
        assert_eq!(
            (server.expose(), &**stream, *entries),
            ("redis://:s3cret@127.0.0.1:6379/0", "wayside:tickets", 10_000)
        );
        assert!(!format!("{queues:?}").contains("s3cret"));
    }

    #[test]
    fn a_query_is_taken_as_it_is_written_and_never_prints() {
        for (url, path) in
            [("http://h?k=${TOKEN}", "/"), ("http://h/in?k=${TOKEN}", "/in"), ("http://h/in/?k=${TOKEN}", "/in/")]
        {
            let queues = read(&format!("  a: {{webhook: '{url}'}}\n")).unwrap();
            let (webhook, query) = service(&queues["a"]);
            assert_eq!((&*webhook.base_url.path, query), (path, Some("k=s3cret")));
            assert!(!format!("{queues:?}").contains("s3cret"));
        }
        assert_eq!(service(&read("  a: {webhook: 'http://h/in'}\n").unwrap()["a"]).1, None);
    }

    #[test]
    fn a_variable_that_makes_no_url_is_not_printed() {
        for row in [
            "webhook: '${TOKEN}'",
            "webhook: 'ftp://h/${TOKEN}'",
            "webhook: 'https://u:${TOKEN}@h/in'",
            "redis: '${TOKEN}'",
        ] {
            let errors = read(&format!("  a: {{{row}}}\n")).unwrap_err();
            assert!(errors.contains("queues.a.") && !errors.contains("s3cret"), "{errors}");
        }
    }
}
